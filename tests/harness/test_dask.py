"""The same cells on Dask Distributed: identical tables, also when workers die."""

import contextlib
import threading
import time
from pathlib import Path

import psutil
import pytest
from attns_harness.tables import read_results
from runs import matrix_text, run, stable

from attns_core.errors import AttnsError

pytestmark = pytest.mark.filterwarnings("default")  # Dask's own, while its workers are killed

SOLVERS = ["heun", "noisy", "relative", "raises", "not-a-number"]


@pytest.fixture(scope="module")
def others() -> frozenset[int]:
    """Processes of tests that ran here before: the conformance checks keep a worker."""
    return frozenset(child.pid for child in psutil.Process().children())


@pytest.fixture(scope="module")
def expected(others: frozenset[int], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("local")
    run(matrix_text(SOLVERS, seeds=4), folder)
    return stable(read_results(folder))


def _kill_workers(stop: threading.Event, killed: list[int]) -> None:
    """Kill one Dask worker after the other, as a failing cluster would."""
    while not stop.wait(1.5) and len(killed) < 2:
        # A worker is a child of ours that has an isolated process of its own.
        workers = [p for p in psutil.Process().children() if p.children()]
        if workers:
            killed.append(workers[0].pid)
            workers[0].kill()


def test_tables_are_identical_although_workers_die(expected: str, tmp_path: Path) -> None:
    stop, killed = threading.Event(), []
    killer = threading.Thread(target=_kill_workers, args=(stop, killed))
    killer.start()
    try:
        run(matrix_text(SOLVERS, seeds=4), tmp_path, executor="dask", workers=2)
    finally:
        stop.set()
        killer.join()
    assert killed
    assert stable(read_results(tmp_path)) == expected


def test_no_worker_is_left(others: frozenset[int], expected: str) -> None:
    deadline = time.monotonic() + 10.0
    while (left := _workers(others)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def _workers(others: frozenset[int]) -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            ended = child.status() == psutil.STATUS_ZOMBIE or "resource_tracker" in " ".join(child.cmdline())
            if child.pid not in others and not ended:
                found.append(child)
    return found


def test_unreachable_scheduler_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(AttnsError, match="no Dask scheduler answers"):
        run(matrix_text(["heun"]), tmp_path, executor="dask", scheduler="tcp://127.0.0.1:1")
