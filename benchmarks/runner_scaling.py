"""What the runner costs per cell: thousands of cells that compute nothing.

``python benchmarks/runner_scaling.py [--cells 10000] [--workers 2] [--executor local] [--json FILE]``
prints wall time, overhead per cell, the coordinator's memory and the journal's size, and extrapolates
planning and store to a million cells.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from attns_harness.matrix import parse_matrix
from attns_harness.plan import make_plan
from attns_harness.progress import View
from attns_harness.runner import RunOptions, run_matrix
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--executor", default="local", choices=["local", "dask"])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    facts = measure(given.cells, given.workers, given.executor)
    for name, value in facts.items():
        print(f"{name:26s}{value:.4g}" if isinstance(value, float) else f"{name:26s}{value}")
    million = 1e6 / facts["cells"]
    plan_s, run_h = facts["plan_s"] * million, facts["wall_s"] * million / 3600
    gigabytes = facts["journal_bytes_per_cell"] / 1e3
    print(f"a million cells: plan {plan_s:.0f} s, run {run_h:.1f} h, journal {gigabytes:.1f} GB")
    if given.json:
        given.json.write_text(json.dumps(facts, allow_nan=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
