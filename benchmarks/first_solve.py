"""Seconds from process start to the first solution, with an empty and with a filled kernel cache.

    python benchmarks/first_solve.py [--only lorenz-63 hires] [--part equations] [--core 1] [--out results/speed]
    python benchmarks/first_solve.py --part pairs [--limit 170] [--again]

Every equation, and one with ever more terms, is solved by a process of its own, as a user's first call is:
Python starts, the registry loads, the equation is traced, its kernel written, compiled and run. The second
process finds the kernel in the cache. Every method with an error estimate, adaptive, solves the equations whose
kernels are the largest. Where an equation is stiff it is stepped by the smallest of its steps.

The part ``pairs``, only when it is named, is every equation by every method that is compiled for it, with an empty
cache; it takes a quarter of an hour. What is measured is kept in a CSV, so that a ``--limit`` of seconds divides it;
the next call goes on, or begins ``--again``. Its rows are in the order of processor time, which other work on the
core lengthens little.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measure import RESULTS, processor, write

from attns_core import Adaptive, FixedStep, Problem, build_registry
from attns_core.kernels.rosenbrock import LARGEST
from attns_core.method import Rosenbrock

LONG_SUM = "fourier-potential"
MODES = (64, 128, 256, 512)
LARGEST_KERNELS = ("elastic-pendulum", "fourier-potential", "kuramoto-sivashinsky")
SLOWEST = 40
"""Pairs that the table shows; the CSV has all."""
MEASURED = ("first s", "processor s")

CODE = """
import json
import sys
from attns_core import Adaptive, FixedStep, Problem, build_registry
import numpy as np
registry = build_registry()
equation = registry.equation(sys.argv[1], **json.loads(sys.argv[2]))
dt = equation.dts[-1] / (1e6 if "stiff" in equation.tags else 1)
problem = Problem(equation=equation, u0=equation.initial_states(0, 4), t_save=equation.t0 + dt * np.arange(3))
method = registry.method(sys.argv[3])
control = Adaptive(rtol=1e-6, atol=1e-6) if method.is_adaptive else FixedStep(dt)
registry.backend("numba").prepare(problem, method, control, None, "float64")()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=[], help="names of equations, or of methods")
    parser.add_argument("--part", choices=("equations", "methods", "pairs"), help="one table, to a file of its own")
    parser.add_argument("--limit", type=float, default=float("inf"), help="pairs: seconds after which to stop")
    parser.add_argument("--again", action="store_true", help="pairs: forget what was measured")
    parser.add_argument("--core", type=int, default=max(os.cpu_count() or 1, 1) - 1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {given.core})
    tables: dict[str, list[dict[str, Any]]] = {}
    if given.part in (None, "equations"):
        tables |= equations(given.only)
    if given.part in (None, "methods"):
        tables["Adaptive methods on the largest kernels"] = methods(given.only)
    if given.part == "pairs":
        tables |= pairs(given.out / "first_solve_pairs.csv", given.only, given.limit, again=given.again)
    notes = [
        f"{processor()}, one core; four trajectories, float64: adaptive methods to two times, others for two steps.",
        "Whole processes, once each.",
        "first: nothing compiled before, and the processor time of that; cached: the same again.",
        "Where first is well above the processor time, other work ran on the core.",
    ]
    name = f"first_solve_{given.part}" if given.part else "first_solve"
    print(write(name, "From process start to the first solution", notes, tables, given.out))


def equations(only: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Every equation by RK4, and one by its number of terms."""
    rows: list[dict[str, Any]] = []
    longer: list[dict[str, Any]] = []
    for equation in build_registry().all("equation"):
        if only and equation.name not in only:
            continue
        rows.append({"equation": equation.name, "dim": equation.dim, **twice(equation.name)})
        print(rows[-1], flush=True)
        if equation.name == LONG_SUM:
            longer = [{"modes": n, **twice(equation.name, n_modes=n)} for n in MODES]
            print(*longer, sep="\n", flush=True)
    return {"Equations": rows, f"{LONG_SUM} by its number of terms": longer}


def methods(only: list[str]) -> list[dict[str, Any]]:
    """Adaptive methods by the equations with the largest kernels."""
    registry = build_registry()
    rows: list[dict[str, Any]] = []
    for method in registry.all("method"):
        if not method.is_adaptive or (only and method.name not in only):
            continue
        for equation in LARGEST_KERNELS:
            if isinstance(method, Rosenbrock) and registry.equation(equation).dim > LARGEST:
                continue
            rows.append({"method": method.name, "equation": equation, **twice(equation, method.name)})
            print(rows[-1], flush=True)
    return rows


def pairs(stored: Path, only: list[str], limit: float, *, again: bool) -> dict[str, list[dict[str, Any]]]:
    """Every equation by every method, as far as ``limit`` seconds go; the rows are in ``stored``, slowest first."""
    begun = time.perf_counter()
    rows: list[dict[str, Any]] = []
    if stored.exists() and not again:
        with stored.open(newline="") as file:
            rows = [{**row, **{k: float(row[k]) for k in MEASURED}} for row in csv.DictReader(file)]
    known = {(row["equation"], row["method"]) for row in rows}
    for equation, dim, method in _compiled(only):
        if (equation, method) in known:
            continue
        if time.perf_counter() - begun > limit:
            break
        with tempfile.TemporaryDirectory() as cache:
            first, used = seconds(equation, method, {}, cache)
        rows.append({"equation": equation, "dim": dim, "method": method, "first s": first, "processor s": used})
        print(rows[-1], flush=True)
    rows.sort(key=lambda row: -row["processor s"])
    stored.parent.mkdir(parents=True, exist_ok=True)
    with stored.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["equation", "dim", "method", *MEASURED])
        writer.writeheader()
        writer.writerows({**row, **{k: f"{row[k]:.3f}" for k in MEASURED}} for row in rows)
    return {
        f"The slowest of {len(rows)} pairs": rows[:SLOWEST],
        "By equation": _grouped(rows, "equation"),
        "By method": _grouped(rows, "method"),
    }


def _compiled(only: list[str]) -> Iterator[tuple[str, int, str]]:
    """Name and dimension of equations, and of each the methods with a compiled kernel."""
    registry = build_registry()
    backend = registry.backend("numba")
    for equation in registry.all("equation"):
        t_save = equation.t0 + equation.dts[-1] * np.arange(3)
        problem = Problem(equation=equation, u0=equation.initial_states(0, 4), t_save=t_save)
        for method in registry.all("method"):
            if only and not {equation.name, method.name} & {*only}:
                continue
            control = Adaptive(rtol=1e-6, atol=1e-6) if method.is_adaptive else FixedStep(equation.dts[-1])
            if backend.supports(problem, method, control, None, "float64") is None:
                yield equation.name, equation.dim, method.name


def _grouped(rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Median and longest processor time of the rows with the same ``key``, the longest first."""
    other = "method" if key == "equation" else "equation"
    found = []
    for name in dict.fromkeys(row[key] for row in rows):
        mine = [row for row in rows if row[key] == name]
        slowest = max(mine, key=lambda row: row["processor s"])
        found.append(
            {
                key: name,
                "pairs": len(mine),
                "median processor s": median(row["processor s"] for row in mine),
                "longest": slowest["processor s"],
                f"its {other}": slowest[other],
            }
        )
    return found


def twice(equation: str, method: str = "rk4", **params: int) -> dict[str, float]:
    """Seconds with an empty and with a filled cache."""
    with tempfile.TemporaryDirectory() as cache:
        first, used = seconds(equation, method, params, cache)
        cached, _ = seconds(equation, method, params, cache)
    return {"first s": first, "processor s": used, "cached s": cached}


def seconds(equation: str, method: str, params: dict[str, int], cache: str) -> tuple[float, float]:
    """Time on the clock and processor time of one process that solves an equation with its kernels in ``cache``."""
    used, start = _processor_seconds(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", CODE, equation, json.dumps(params), method],
        env={**os.environ, "ATTNS_CACHE_DIR": cache},
        check=True,
    )
    return time.perf_counter() - start, _processor_seconds() - used


def _processor_seconds() -> float:
    """Of the processes that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


if __name__ == "__main__":
    main()
