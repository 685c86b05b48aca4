"""Dask Distributed: the same tasks on a cluster of this machine, a running scheduler, or Slurm.

Inside every Dask worker sits the same replaceable process as in the local executor, so deadlines,
memory limits and crashes mean the same everywhere. Artefacts travel as bytes, named by their hash.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import tempfile
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from attns_core.errors import AttnsError
from attns_harness import artefacts
from attns_harness.executors.base import AbstractExecutor, Activity
from attns_harness.executors.local import LocalExecutor
from attns_harness.executors.slurm import SlurmJobs
from attns_harness.outcome import Outcome
from attns_harness.tasks import Report, Task, WorkerContext

WINDOW_PER_THREAD = 8
"""Tasks given to the scheduler ahead of time per thread: its memory must not grow with the matrix."""

WATCH_EVERY_S = 2.0

CONNECT_S = 10.0
"""How long a scheduler may be silent, at the start and when the connection breaks."""

CLOSE_S = 0.6
"""How long each step of closing a cluster may take."""

MAX_LOSSES = 5
"""How often a task is sent again after its worker or its data was lost."""

_pools: dict[tuple[int, WorkerContext], LocalExecutor] = {}
# In a Dask worker: one isolated process per thread and run, kept from task to task.


class LostSchedulerError(AttnsError):
    """The scheduler, and with it the cluster, does not answer any more."""

    exit_code = 1


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
        self._slurm = SlurmJobs(workers) if slurm and not scheduler else None
        self._client, self._cluster = _connect(workers, scheduler, self._slurm)
        self._waiting: OrderedDict[tuple[str, ...], deque[Task]] = OrderedDict()
        self._flying: dict[str, tuple[Task, Any]] = {}
        self._losses: dict[str, int] = {}
        self._done: queue.Queue[tuple[Task, Any]] = queue.Queue()
        self._sent: dict[str, Any] = {}
        self._since = time.time()
        self._watched = float("-inf")
        self._workers: dict[str, int] = {}
        self._busy: dict[str, tuple[str, float]] = {}

    def submit(self, task: Task) -> None:
        self._waiting.setdefault(task.group, deque()).append(task)

    def poll(self, timeout_s: float) -> list[tuple[Task, Report]]:
        """As the interface says.

        Raises
        ------
        LostSchedulerError
            What was finished before is stored.
        """
        try:
            return self._poll(timeout_s)
        except Exception as error:
            if self._client.status not in ("running", "connecting"):
                raise LostSchedulerError(
                    f"lost the Dask scheduler ({error}); what was finished is stored: start the same command again"
                ) from error
            if not isinstance(error, OSError):
                raise
            # A worker went away under a call, or the connection is being made anew.
            time.sleep(timeout_s)
            return []

    def _poll(self, timeout_s: float) -> list[tuple[Task, Report]]:
        if self._client.status == "closed":
            raise ConnectionError("it does not answer")
        self._feed()
        found: list[tuple[Task, Report]] = []
        with contextlib.suppress(queue.Empty):
            arrived = self._done.get(timeout=timeout_s)
            while True:
                report = self._receive(*arrived)
                if report is not None:
                    found.append((arrived[0], report))
                arrived = self._done.get_nowait()
        return found

    def activity(self) -> list[Activity]:
        found = []
        for address in self._workers:
            key, since = self._busy.get(address, ("", 0.0))
            task = self._flying.get(key, (None, None))[0]
            found.append(Activity(address, key if task else "", task.label if task else "idle", since))
        return found or [Activity("dask", "", "no worker is there yet", self._since)]

    def close(self) -> None:
        # A cluster that does not answer must not keep an interrupted run from ending.
        _within(CLOSE_S, self._end_pools)
        with contextlib.suppress(Exception):
            self._client.close(timeout=CLOSE_S)
        if self._cluster is None:
            return
        processes = [getattr(nanny, "pid", None) for nanny in self._cluster.workers.values()]
        if not _within(CLOSE_S, self._cluster.close):
            # Busy workers are waited for; none of what they do is wanted any more.
            for process in filter(None, processes):
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGKILL)
            _within(CLOSE_S, self._cluster.close)

    def _end_pools(self) -> None:
        self._client.cancel([future for _, future in self._flying.values()], force=True)
        self._client.run(close_pools)

    def _watch(self) -> None:
        """Learn which workers there are and what they do: a round trip, and they come and go slowly."""
        now = time.monotonic()
        if now < self._watched + WATCH_EVERY_S:
            return
        self._watched = now
        self._workers = dict(self._client.nthreads())
        for address, keys in self._client.processing().items():
            # Tasks that wait on a worker come after the one that it runs.
            key = str(keys[0]).partition(" #")[0] if keys else ""
            if self._busy.get(address, ("", 0.0))[0] != key:
                self._busy[address] = (key, time.time())
        if self._slurm is not None:
            self._slurm.replace_lost(self._cluster)

    def _feed(self) -> None:
        self._watch()
        # Nothing is sent while there is no worker: data could be placed nowhere.
        window = WINDOW_PER_THREAD * sum(self._workers.values())
        while self._waiting and len(self._flying) < window:
            group = next(iter(self._waiting))
            tasks = self._waiting[group]
            self._send(tasks[0])
            tasks.popleft()
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
            (self._sent[name],) = self._client.scatter([contents], hash=False, timeout=CONNECT_S)
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
            with contextlib.suppress(OSError, TimeoutError):
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


def _within(seconds: float, call: Callable[[], object]) -> bool:
    """Whether a call ends in time; it goes on in the background where it does not."""

    def quietly() -> None:
        with contextlib.suppress(Exception):
            call()

    thread = threading.Thread(target=quietly, daemon=True)
    thread.start()
    thread.join(timeout=seconds)
    return not thread.is_alive()


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
        # Dask's nannies start their workers as daemons, which may have no children of their own.
        multiprocessing.current_process().daemon = False
        # Beside the artefacts, in a folder that goes with its Dask worker.
        _pools[place] = LocalExecutor(context, 1, scratch=context.artefacts.parent)
    pool = _pools[place]
    pool.submit(task)
    while _pools.get(place) is pool:
        for _, report in pool.poll(0.5):
            return report
    raise RuntimeError("the run was ended while this task ran")


def close_pools() -> None:
    """In a Dask worker: end the isolated processes."""
    while _pools:
        _pools.popitem()[1].close()


def _local_root() -> Path:
    from distributed import get_worker

    try:
        folder = Path(get_worker().local_directory)
    except (ValueError, AttributeError):
        folder = Path(tempfile.gettempdir())
    return folder / "attns-artefacts"


def _connect(workers: int, scheduler: str, slurm: SlurmJobs | None) -> tuple[Any, Any]:
    try:
        import dask.config as dask_config
        from distributed import Client, LocalCluster
    except ImportError:
        raise AttnsError("--executor dask needs Dask: pip install 'attns[dask]'") from None
    if scheduler:
        try:
            return Client(scheduler, timeout=CONNECT_S, set_as_default=False), None
        except (OSError, ValueError, TimeoutError) as error:
            raise AttnsError(f"no Dask scheduler answers at {scheduler!r}: {error}") from None
    # Losing a worker must not condemn its tasks.
    dask_config.set({"distributed.scheduler.allowed-failures": 10})
    if slurm is not None:
        cluster = slurm.start()
    else:
        cluster = LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address="", silence_logs=50
        )
    client = Client(cluster, set_as_default=False)
    if slurm is None:
        # Ctrl-C in a terminal is for the coordinator, which ends its workers itself.
        client.register_worker_callbacks(setup=os.setpgrp)
    return client, cluster
