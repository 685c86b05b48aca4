"""What the runner costs per cell: thousands of cells that compute nothing.

``python benchmarks/runner_scaling.py [--cells 10000] [--workers 2] [--executor local] [--json FILE]``
prints wall time, overhead per cell, the coordinator's memory and the journal's size, and extrapolates
planning and store to a million cells. ``--simulate`` has no workers: an executor answers every task at
once with a row of the usual size, so that the coordinator, the journal and the tables are left alone.
"""

import argparse
import json
import resource
import tempfile
import time
from collections import deque
from itertools import pairwise
from pathlib import Path
from typing import Any

from attns_harness.coordinator import Coordinator
from attns_harness.executors import AbstractExecutor, Activity
from attns_harness.matrix_file import parse_matrix
from attns_harness.outcome import Outcome
from attns_harness.plan import make_plan
from attns_harness.progress import View
from attns_harness.runner import RunOptions, run_matrix, select
from attns_harness.store import open_store, read_store
from attns_harness.tables import export
from attns_harness.tasks import Report, Task
from rich.console import Console

from attns_core.registry import build_registry

PLUGIN = """
import numpy as np
from attns_core import AbstractSolver, Solution, hookimpl

class Trivial(AbstractSolver):
    name = "trivial"
    tags = frozenset()

    def supports(self, problem, control):
        return None

    def prepare(self, problem, control):
        u = np.repeat(problem.u0[None], problem.t_save.size, axis=0)
        return lambda: Solution(t=problem.t_save, u=u, n_steps=1, nfe=1)

@hookimpl
def attns_solvers():
    return [Trivial()]
"""


def matrix_text(cells: int) -> str:
    """A matrix of ``cells`` cells on four problems."""
    steps = [1 / k for k in range(1, cells // 4 + 1)]
    return f"""
name = "scaling"
plugins = ["trivial.py"]
[timing]
enabled = false
[[block]]
equations = [{{ name = "lotka-volterra", t_end = 2, save_every = 1, n_trajectories = 1 }}]
solvers = ["trivial"]
dts = {steps}
seeds = [0, 1, 2, 3]
"""


def measure(cells: int, workers: int, executor: str) -> dict[str, Any]:
    """Run the matrix in a fresh folder and say what it cost."""
    with tempfile.TemporaryDirectory(prefix="attns-scaling-") as name:
        folder = Path(name)
        (folder / "trivial.py").write_text(PLUGIN, encoding="utf-8")
        file = parse_matrix(matrix_text(cells), folder / "matrix.toml")
        registry = build_registry(plugin_files=file.plugin_files)
        # Workers and references first, so that the figure is the cells' alone.
        small = parse_matrix(matrix_text(8), folder / "matrix.toml")
        view = View(Console(quiet=True), quiet=True)
        options = RunOptions(workers=workers, executor=executor)
        started = time.perf_counter()
        run_matrix(small, folder / "out", registry, options, view)
        start_s = time.perf_counter() - started
        started = time.perf_counter()
        plan = make_plan(file.matrix, registry)
        plan_s = time.perf_counter() - started
        started, cpu = time.perf_counter(), time.process_time()
        summary = run_matrix(file, folder / "out", registry, options, view)
        wall_s = time.perf_counter() - started
        journal = sum(p.stat().st_size for p in (folder / "out").glob("journal.sqlite*"))
        done = summary.executed
        return {
            "cells": len(plan.cells),
            "workers": workers,
            "executor": executor,
            "states": summary.counts,
            "wall_s": wall_s,
            "start_s": start_s,
            "plan_s": plan_s,
            "wall_per_cell_ms": 1e3 * wall_s / done,
            "worker_time_per_cell_ms": 1e3 * workers * wall_s / done,
            "coordinator_cpu_per_cell_ms": 1e3 * (time.process_time() - cpu) / done,
            "coordinator_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "journal_bytes_per_cell": journal / len(plan.cells),
        }


class InstantExecutor(AbstractExecutor):
    """Answers every task at once, with the same columns."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self._report = Report(outcome=Outcome(state="ok", columns=columns, seconds=1e-3))
        self._tasks: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def poll(self, timeout_s: float) -> list[tuple[Task, Report]]:
        return [(self._tasks.popleft(), self._report) for _ in range(min(64, len(self._tasks)))]

    def activity(self) -> list[Activity]:
        return [Activity("simulated", "", "idle", 0.0)]

    def close(self) -> None:
        self._tasks.clear()


def simulate(cells: int) -> dict[str, Any]:
    """What a matrix of ``cells`` cells costs the coordinator alone, in processor time."""
    with tempfile.TemporaryDirectory(prefix="attns-scaling-") as name:
        folder = Path(name)
        (folder / "trivial.py").write_text(PLUGIN, encoding="utf-8")
        file = parse_matrix(matrix_text(cells), folder / "matrix.toml")
        registry = build_registry(plugin_files=file.plugin_files)
        view = View(Console(quiet=True), quiet=True)
        # The references, and a row of the usual size.
        small = parse_matrix(matrix_text(8), folder / "matrix.toml")
        run_matrix(small, folder / "out", registry, RunOptions(workers=1), view)
        store = read_store(folder / "out")
        columns = next(store.rows())["columns"]
        store.close()
        clock = [time.process_time()]
        plan = make_plan(file.matrix, registry)
        clock.append(time.process_time())
        with open_store(folder / "out") as store:
            run = store.begin_run({}, file.text, "")
            store.lay_out(plan.cells)
            clock.append(time.process_time())
            todo = select(plan, store, RunOptions())
            coordinator = Coordinator(
                plan, file.matrix, store, view, folder=folder / "out" / "artefacts", run=run, environment=""
            )
            coordinator.solve(todo, InstantExecutor(columns))
            clock.append(time.process_time())
            solving = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            export(store)
            clock.append(time.process_time())
        plan_s, layout_s, solve_s, export_s = (after - before for before, after in pairwise(clock))
        return {
            "cells": len(plan.cells),
            "plan_s": plan_s,
            "layout_s": layout_s,
            "coordinator_s": solve_s,
            "export_s": export_s,
            "cells_per_second": len(todo) / solve_s,
            "peak_before_export_mib": solving,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "journal_bytes_per_cell": sum(p.stat().st_size for p in (folder / "out").glob("journal.sqlite*"))
            / len(plan.cells),
            "table_bytes_per_cell": sum(p.stat().st_size for p in (folder / "out" / "tables").iterdir())
            / len(plan.cells),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--executor", default="local", choices=["local", "dask"])
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    facts = simulate(given.cells) if given.simulate else measure(given.cells, given.workers, given.executor)
    for name, value in facts.items():
        print(f"{name:26s}{value:.4g}" if isinstance(value, float) else f"{name:26s}{value}")
    million = 1e6 / facts["cells"]
    plan_s, run_h = facts["plan_s"] * million, facts.get("wall_s", facts.get("coordinator_s", 0)) * million / 3600
    gigabytes = facts["journal_bytes_per_cell"] / 1e3
    print(f"a million cells: plan {plan_s:.0f} s, run {run_h:.2f} h, journal {gigabytes:.1f} GB")
    if given.json:
        given.json.write_text(json.dumps(facts, allow_nan=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
