"""Dask Distributed: the same tasks on a cluster of this machine, a running scheduler, or Slurm.

Inside every Dask worker sits the same replaceable process as in the local executor, so deadlines,
memory limits and crashes mean the same everywhere. Artefacts travel as bytes, named by their hash.
"""

import contextlib
import queue
import tempfile
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from attns_core.errors import AttnsError
from attns_harness import artefacts
from attns_harness.executors.base import AbstractExecutor, Activity
from attns_harness.executors.local import LocalExecutor
from attns_harness.store import Outcome
from attns_harness.tasks import Report, Task, WorkerContext

WINDOW_PER_THREAD = 8
"""Tasks given to the scheduler ahead of time per thread: its memory must not grow with the matrix."""

COUNT_EVERY_S = 2.0

MAX_LOSSES = 5
"""How often a task is sent again after its worker or its data was lost."""

_pools: dict[tuple[int, WorkerContext], LocalExecutor] = {}
# In a Dask worker: one isolated process per thread and run, kept from task to task.


@final
class DaskExecutor(AbstractExecutor):
    """Sends tasks to Dask workers.

    Parameters
    ----------
    context : WorkerContext
        ``artefacts`` is the coordinator's folder; workers keep copies of their own.
    workers : int
        Size of a cluster made here; ignored with ``scheduler``.
    scheduler : str
        Address of a running scheduler; empty: a cluster on this machine.
    slurm : bool
        Ask Slurm for the workers, as configured for dask-jobqueue.
    """

    def __init__(self, context: WorkerContext, workers: int, *, scheduler: str = "", slurm: bool = False) -> None:
        self._context = context
        self._client, self._cluster = _connect(workers, scheduler, slurm)
        self._waiting: OrderedDict[tuple[str, ...], deque[Task]] = OrderedDict()
        self._flying: dict[str, tuple[Task, Any]] = {}
        self._losses: dict[str, int] = {}
        self._done: queue.Queue[tuple[Task, Any]] = queue.Queue()
        self._sent: dict[str, Any] = {}
        self._since = time.time()
        self._counted, self._known_threads = float("-inf"), 0

    def submit(self, task: Task) -> None:
        self._waiting.setdefault(task.group, deque()).append(task)

    def poll(self, timeout_s: float) -> list[tuple[Task, Report]]:
        self._feed()
        found: list[tuple[Task, Report]] = []
        with contextlib.suppress(queue.Empty):
            arrived = self._done.get(timeout=timeout_s)
            while True:
                report = self._receive(*arrived)
                if report is not None:
                    found.append((arrived[0], report))
                arrived = self._done.get_nowait()
        self._feed()
        return found

    def activity(self) -> list[Activity]:
        label = f"{len(self._flying)} tasks on {self._threads()} threads"
        return [Activity("dask", "", label, self._since)]

    def close(self) -> None:
        futures = [future for _, future in self._flying.values()]
        with contextlib.suppress(Exception):
            self._client.cancel(futures, force=True)
        with contextlib.suppress(Exception):
            self._client.run(close_pools, wait=True)
        with contextlib.suppress(Exception):
            self._client.close(timeout=5)
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                self._cluster.close(timeout=5)

    def _threads(self) -> int:
        # Asking the scheduler is a round trip; workers come and go slowly.
        if time.monotonic() > self._counted + COUNT_EVERY_S:
            self._counted = time.monotonic()
            self._known_threads = sum(self._client.nthreads().values())
        return self._known_threads

    def _feed(self) -> None:
        window = max(2, WINDOW_PER_THREAD * self._threads())
        while self._waiting and len(self._flying) < window:
            group = next(iter(self._waiting))
            tasks = self._waiting[group]
            self._send(tasks.popleft())
            if not tasks:
                del self._waiting[group]

    def _send(self, task: Task) -> None:
        blobs = {name: self._scattered(name) for name in task.needs}
        attempt = self._losses.get(task.key, 0)
        future = self._client.submit(
            run_isolated, task, self._context, blobs, key=f"{task.key} #{attempt} {id(self)}", pure=False
        )
        self._flying[task.key] = (task, future)
        future.add_done_callback(lambda done: self._done.put((task, done)))

    def _scattered(self, name: str) -> Any:
        if name not in self._sent:
            contents = artefacts.contents(self._context.artefacts, name)
            # Wrapped in a list: Dask would take a bare dict apart into one future per file.
            (self._sent[name],) = self._client.scatter([contents], hash=False)
        return self._sent[name]

    def _receive(self, task: Task, future: Any) -> Report | None:
        if self._flying.get(task.key, (None, None))[1] is not future:
            return None
        del self._flying[task.key]
        if future.status == "finished":
            with contextlib.suppress(Exception):
                report: Report = future.result(timeout=30)
                return report
        reason = "its result was lost"
        if future.status == "error":
            error = future.exception(timeout=30)
            reason = f"{type(error).__name__}: {error}"
        # Whatever went wrong here is the cluster's: the task itself reports its failures.
        self._losses[task.key] = self._losses.get(task.key, 0) + 1
        if self._losses[task.key] <= MAX_LOSSES:
            self._sent.clear()
            self._waiting.setdefault(task.group, deque()).appendleft(task)
            return None
        return Report(
            outcome=Outcome(state="crashed", reason=f"lost {MAX_LOSSES} times with its worker: {reason}"[:500])
        )


def run_isolated(task: Task, context: WorkerContext, blobs: Mapping[str, Mapping[str, bytes]]) -> Report:
    """In a Dask worker: place the artefacts, run the task in this thread's isolated process."""
    root = _local_root()
    context = replace(context, artefacts=root)
    for name in task.needs:
        if not artefacts.folder_of(root, name).is_dir():
            artefacts.receive(root, name, blobs[name])
    report = _run(task, context)
    if report.outcome.broken and task.needs:
        # The copy on this machine is damaged: take the one that travelled.
        for name in task.needs:
            artefacts.receive(root, name, blobs[name])
        report = _run(task, context)
    if task.kind in ("reference", "weights") and report.outcome.state == "ok":
        report = replace(report, blobs=artefacts.contents(root, task.artefact))
    return report


def _run(task: Task, context: WorkerContext) -> Report:
    place = (threading.get_ident(), context)
    if place not in _pools:
        _pools[place] = LocalExecutor(context, 1)
    _pools[place].submit(task)
    return next(_reports(_pools[place]))


def close_pools() -> None:
    """In a Dask worker: end the isolated processes."""
    while _pools:
        _pools.popitem()[1].close()


def _reports(pool: LocalExecutor) -> Iterator[Report]:
    while True:
        for _, report in pool.poll(1.0):
            yield report


def _local_root() -> Path:
    from distributed import get_worker

    try:
        folder = Path(get_worker().local_directory)
    except (ValueError, AttributeError):
        folder = Path(tempfile.gettempdir())
    return folder / "attns-artefacts"


def _connect(workers: int, scheduler: str, slurm: bool) -> tuple[Any, Any]:
    try:
        import dask.config as dask_config
        from distributed import Client, LocalCluster
    except ImportError:
        raise AttnsError("--executor dask needs Dask: pip install 'attns[dask]'") from None
    if scheduler:
        try:
            return Client(scheduler, timeout=5, set_as_default=False), None
        except (OSError, ValueError, TimeoutError) as error:
            raise AttnsError(f"no Dask scheduler answers at {scheduler!r}: {error}") from None
    if slurm:
        try:
            from dask_jobqueue import SLURMCluster  # type: ignore[import-not-found]
        except ImportError:
            raise AttnsError("--executor slurm needs dask-jobqueue: pip install 'attns[slurm]'") from None
        cluster = SLURMCluster()
        cluster.scale(workers)
        return Client(cluster, set_as_default=False), cluster
    # Workers must be allowed children of their own; losing a worker must not condemn its tasks.
    dask_config.set({"distributed.worker.daemon": False, "distributed.scheduler.allowed-failures": 10})
    cluster = LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address="", silence_logs=50
    )
    return Client(cluster, set_as_default=False), cluster
