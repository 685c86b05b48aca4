"""Worker processes on this machine: spawned, reused, killed by deadline, replaced when they die."""

import contextlib
import multiprocessing
import os
import queue
import secrets
import shutil
import signal
import tempfile
import time
from collections import OrderedDict, deque
from concurrent.futures import CancelledError, TimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import psutil
from pebble import ProcessExpired, ProcessPool

from attns_harness.executors.base import AbstractExecutor, Activity
from attns_harness.outcome import Outcome
from attns_harness.sandbox import EXITED_ZERO, OUTPUT_BYTES, RETIRED
from attns_harness.tasks import Report, Task, WorkerContext
from attns_harness.worker import initialise, perform

MARK = "ATTNS_RUN"
"""Environment variable that marks the processes of a run, so that strays can be found and killed."""

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

MAX_RESTARTS = 3
SHORT_S = 0.1


@dataclass
class _Slot:
    """One worker: a pool of one process, and the tasks handed to it."""

    name: str
    pool: ProcessPool
    group: tuple[str, ...] = ()
    flying: dict[str, tuple[Task, Any]] = field(default_factory=dict)
    since: float = 0.0
    recent_s: float = 1.0


@final
class LocalExecutor(AbstractExecutor):
    """A pool per worker, so that each keeps to a group of cells that share compiled code.

    Parameters
    ----------
    context : WorkerContext
    workers : int
    scratch : Path, optional
        Where working directories and logs of the workers go; the system's folder of temporary files.
    """

    def __init__(self, context: WorkerContext, workers: int, *, scratch: Path | None = None) -> None:
        self._scratch = Path(tempfile.mkdtemp(prefix="attns-run-", dir=scratch))
        self._context = context
        self._reports: queue.Queue[tuple[_Slot, Task, Any, ProcessPool]] = queue.Queue()
        self._waiting: OrderedDict[tuple[str, ...], deque[Task]] = OrderedDict()
        self._restarts: dict[str, int] = {}
        self._token = secrets.token_hex(8)
        self._saved = {name: os.environ.get(name) for name in (*THREAD_VARIABLES, MARK)}
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(context.threads)))
        os.environ[MARK] = self._token
        self._slots = [_Slot(name=str(i + 1), pool=self._pool()) for i in range(workers)]

    def submit(self, task: Task) -> None:
        self._waiting.setdefault(task.group, deque()).append(task)

    def poll(self, timeout_s: float) -> list[tuple[Task, Report]]:
        self._feed()
        done: list[tuple[Task, Report]] = []
        end = time.monotonic() + timeout_s
        with contextlib.suppress(queue.Empty):
            arrived = self._reports.get(timeout=max(0.0, end - time.monotonic()))
            while True:
                report = self._receive(*arrived)
                if report is not None:
                    done.append((arrived[1], report))
                self._feed()
                arrived = self._reports.get_nowait()
        return done

    def activity(self) -> list[Activity]:
        found = []
        for slot in self._slots:
            task = next((t for t, _ in slot.flying.values()), None)
            key, label = (task.key, task.label) if task else ("", "idle")
            found.append(Activity(slot.name, key, label, slot.since))
        return found

    def close(self) -> None:
        for process in psutil.Process().children():
            # SIGKILL at once: the pools' own way asks first, one worker after the other.
            if (self._scratch / str(process.pid)).exists():
                with contextlib.suppress(psutil.Error):
                    process.kill()
        for slot in self._slots:
            slot.pool.stop()
        for slot in self._slots:
            with contextlib.suppress(Exception):
                slot.pool.join(timeout=10)
        self._sweep(everything=True)
        for name, value in self._saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=1,
            initializer=initialise,
            initargs=(self._context, self._scratch),
            context=multiprocessing.get_context("spawn"),  # type: ignore[arg-type]
        )

    def _feed(self) -> None:
        for slot in self._slots:
            # Short tasks queue two deep, so that a worker never waits for the coordinator.
            depth = 3 if slot.recent_s < SHORT_S else 1
            while len(slot.flying) < depth:
                task = self._next(slot)
                if task is None:
                    return
                self._send(slot, task)

    def _next(self, slot: _Slot) -> Task | None:
        if not self._waiting:
            return None
        group = slot.group
        if group not in self._waiting:
            taken = {s.group for s in self._slots if s is not slot}
            free = [g for g in self._waiting if g not in taken]
            group = free[0] if free else max(self._waiting, key=lambda g: len(self._waiting[g]))
        slot.group = group
        tasks = self._waiting[group]
        task = tasks.popleft()
        if not tasks:
            del self._waiting[group]
        return task

    def _send(self, slot: _Slot, task: Task) -> None:
        if not slot.flying:
            slot.since = time.time()
        # The pool's deadline counts from the moment the worker takes the task.
        future = slot.pool.schedule(perform, args=(task,), timeout=task.deadline_s)
        slot.flying[task.key] = (task, future)
        future.add_done_callback(lambda done, pool=slot.pool: self._reports.put((slot, task, done, pool)))

    def _receive(self, slot: _Slot, task: Task, future: Any, pool: ProcessPool) -> Report | None:
        slot.flying.pop(task.key, None)
        slot.since = time.time()
        try:
            report: Report = future.result()
        except TimeoutError:
            self._sweep()
            outcome = Outcome(
                state="timeout", reason=f"killed after its deadline of {task.deadline_s:g} s", seconds=task.deadline_s
            )
            return Report(outcome=outcome)
        except ProcessExpired as error:
            self._sweep()
            if error.exitcode == RETIRED:
                return self._again(slot, task)
            return Report(outcome=self._crash(error))
        except BrokenProcessPool as error:
            if slot.pool is pool:
                pool.stop()
                slot.pool = self._pool()
            self._restarts[task.key] = self._restarts.get(task.key, 0) + 1
            if self._restarts[task.key] <= MAX_RESTARTS:
                return self._again(slot, task)
            return Report(outcome=Outcome(state="crashed", reason=f"its worker could not be started: {error}"))
        except CancelledError:
            return Report(outcome=Outcome(state="interrupted", reason="cancelled"))
        except Exception as error:
            return Report(outcome=Outcome(state="error", reason=f"its result could not be sent: {error}"))
        slot.recent_s = 0.8 * slot.recent_s + 0.2 * report.outcome.seconds
        return report

    def _again(self, slot: _Slot, task: Task) -> None:
        slot.recent_s = 1.0
        self._waiting.setdefault(task.group, deque()).appendleft(task)

    def _crash(self, error: ProcessExpired) -> Outcome:
        code = int(error.exitcode or 0)
        log = self._scratch / str(error.pid)
        output = ""
        if log.is_file():
            output = log.read_bytes()[-OUTPUT_BYTES:].decode("utf-8", "replace").strip("\0 \n")
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            hint = " (out of memory, if nobody sent it)" if -code == signal.SIGKILL else ""
            return Outcome(state="crashed", reason=f"its process was killed by {name}{hint}", output=output)
        shown = 0 if code == EXITED_ZERO else code
        return Outcome(state="crashed", reason=f"its process exited with code {shown}", output=output)

    def _sweep(self, *, everything: bool = False) -> None:
        """Kill processes that cells left behind when their worker died."""
        from multiprocessing import resource_tracker

        spare = {os.getpid(), getattr(resource_tracker._resource_tracker, "_pid", None)}
        marked = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid not in spare and process.environ().get(MARK) == self._token:
                    marked.append(process)
        workers = {p.pid for p in marked if not everything and p.ppid() == os.getpid() and self._is_worker(p)}
        for process in marked:
            with contextlib.suppress(psutil.Error):
                if process.pid not in workers and not workers & {p.pid for p in process.parents()}:
                    process.kill()

    def _is_worker(self, process: psutil.Process) -> bool:
        # A worker that is still starting has no log yet; strays are never direct children of ours
        # unless we adopted them, and then they run something else.
        return (self._scratch / str(process.pid)).exists() or "--multiprocessing-fork" in process.cmdline()
