"""Seconds from process start to the first solution, with an empty and with a filled kernel cache.

    python benchmarks/first_solve.py [--only lorenz-63 hires] [--part equations] [--core 1] [--out results/speed]

Every equation, and one with ever more terms, is solved by a process of its own, as a user's first call is:
Python starts, the registry loads, the equation is traced, its kernel written, compiled and run. The second
process finds the kernel in the cache. Every method with an error estimate, adaptive, solves the equations whose
kernels are the largest. Where an equation is stiff it is stepped by the smallest of its steps.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import RESULTS, processor, write

from attns_core import build_registry
from attns_core.kernels.rosenbrock import LARGEST
from attns_core.method import Rosenbrock

LONG_SUM = "fourier-potential"
MODES = (64, 128, 256, 512)
LARGEST_KERNELS = ("elastic-pendulum", "fourier-potential", "kuramoto-sivashinsky")

CODE = """
import json
import sys
from attns_core import Adaptive, FixedStep, Problem, build_registry
import numpy as np
registry = build_registry()
equation = registry.equation(sys.argv[1], **json.loads(sys.argv[2]))
dt = equation.dts[-1] / (1e6 if "stiff" in equation.tags else 1)
problem = Problem(equation=equation, u0=equation.initial_states(0, 4), t_save=equation.t0 + dt * np.arange(3))
control = FixedStep(dt) if sys.argv[3] == "rk4" else Adaptive(rtol=1e-6, atol=1e-6)
registry.backend("numba").prepare(problem, registry.method(sys.argv[3]), control, None, "float64")()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=[], help="names of equations, or of methods")
    parser.add_argument("--part", choices=("equations", "methods"), help="one table only, to a file of its own")
    parser.add_argument("--core", type=int, default=max(os.cpu_count() or 1, 1) - 1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {given.core})
    tables: dict[str, list[dict[str, Any]]] = {}
    if given.part != "methods":
        tables |= equations(given.only)
    if given.part != "equations":
        tables["Adaptive methods on the largest kernels"] = methods(given.only)
    notes = [
        f"{processor()}, one core; four trajectories, float64: RK4 for two steps, adaptive methods to the two times.",
        "Whole processes, once each.",
        "first: nothing compiled before; cached: the same again.",
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


def twice(equation: str, method: str = "rk4", **params: int) -> dict[str, float]:
    """Seconds with an empty and with a filled cache."""
    with tempfile.TemporaryDirectory() as cache:
        return {
            "first s": seconds(equation, method, params, cache),
            "cached s": seconds(equation, method, params, cache),
        }


def seconds(equation: str, method: str, params: dict[str, int], cache: str) -> float:
    """Wall time of one process that solves an equation with its kernels in ``cache``."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", CODE, equation, json.dumps(params), method],
        env={**os.environ, "ATTNS_CACHE_DIR": cache},
        check=True,
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
