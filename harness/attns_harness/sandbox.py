"""The sandbox of a worker: what one task changes in the process must not reach the next.

Cheap things are restored (working directory, environment, random states, error modes); what cannot be
undone (leaked memory, threads) retires the worker: it asks for a fresh process before its next task.
"""

import contextlib
import ctypes
import faulthandler
import io
import os
import random
import resource
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

RETIRED = 197
"""Exit code of a worker that refused a task because an earlier one had spoilt the process."""

EXITED_ZERO = 198
"""Exit code in place of 0, which process pools take for an orderly end."""

OUTPUT_BYTES = 4000

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


class Sandbox:
    """Per-process protection; :meth:`task` wraps each task."""

    def __init__(self, memory_mb: int, scratch: Path) -> None:
        self._memory = memory_mb * 2**20
        self._scratch = Path(tempfile.mkdtemp(prefix="worker-", dir=scratch))
        # Named by process, so that the coordinator can read the last words of one that died.
        self._log = (scratch / str(os.getpid())).open("w+b")
        self._baseline = data_bytes()
        self._spoilt = ""
        _isolate_process()
        os.chdir(self._scratch)
        for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
            with contextlib.suppress(Exception):
                stream.flush()
            os.dup2(self._log.fileno(), number)
        faulthandler.enable(self._log)

    @property
    def spoilt(self) -> str:
        """Why this process should not take another task; empty while it may."""
        return self._spoilt

    def settle(self) -> None:
        """What is in memory now is the process's own: only growth beyond it spoils a worker."""
        self._baseline = data_bytes()

    @contextlib.contextmanager
    def task(self, seed: int) -> Iterator[None]:
        """Run one task: fixed random states, limited memory, everything restored afterwards."""
        environment, path, errors = dict(os.environ), list(sys.path), np.geterr()
        streams, threads = (sys.stdout, sys.stderr), threading.active_count()
        self._log.truncate(0)
        self._log.seek(0)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        if self._memory:
            _limit_memory(self._baseline + self._memory)
        try:
            with warnings.catch_warnings():
                yield
        except MemoryError:
            self._spoilt = "ran out of memory"
            raise
        finally:
            if self._memory:
                _limit_memory(resource.RLIM_INFINITY)
            sys.stdout, sys.stderr = streams
            os.chdir(self._scratch)
            if os.environ != environment:
                os.environ.clear()
                os.environ.update(environment)
            sys.path[:] = path
            np.seterr(**errors)
            kill_children()
            if threading.active_count() > threads:
                self._spoilt = "left threads running"
            elif self._memory and data_bytes() > self._baseline + self._memory // 4:
                self._spoilt = "kept too much memory"

    def output(self) -> str:
        """The end of what the task wrote to standard output and error."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        size = self._log.seek(0, io.SEEK_END)
        self._log.seek(max(0, size - OUTPUT_BYTES))
        return self._log.read().decode("utf-8", "replace").strip()


def data_bytes() -> int:
    """Private writable memory of this process, which RLIMIT_DATA limits."""
    with open("/proc/self/statm", encoding="ascii") as handle:
        return int(handle.read().split()[5]) * resource.getpagesize()


def kill_children() -> None:
    """Kill every descendant, adopted ones included, until none is left."""
    for _ in range(10):
        children = _children()
        if not children:
            return
        for child in children:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.waitpid(child, 0)


def _children() -> list[int]:
    found: list[int] = []
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in (thread / "children").read_text().split()]
    tracker = _resource_tracker()
    return [pid for pid in found if pid != tracker]


def _resource_tracker() -> int | None:
    # A spawned worker shares its parent's tracker, but may have had to start its own.
    from multiprocessing import resource_tracker

    return getattr(resource_tracker._resource_tracker, "_pid", None)


def _limit_memory(limit: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _isolate_process() -> None:
    """Die with the coordinator, adopt orphans, stay out of the terminal's signals."""
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The pool's own handler runs Python code, which native code that hangs never lets happen.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    real_exit = os._exit

    def exit_visibly(code: int) -> None:
        real_exit(code or EXITED_ZERO)

    os._exit = exit_visibly  # type: ignore[assignment]
