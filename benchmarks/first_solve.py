"""Seconds from process start to the first solution, with an empty and with a filled kernel cache.

    python benchmarks/first_solve.py [--only lorenz-63 hires] [--core 1] [--out results/speed]

Every equation, and one with ever more terms, is solved by a process of its own, as a user's first call is:
Python starts, the registry loads, the equation is traced, its kernel written, compiled and run. The second
process finds the kernel in the cache. Where an equation is stiff it is stepped by the smallest of its steps.
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

LONG_SUM = "fourier-potential"
MODES = (64, 128, 256, 512)

CODE = """
import json
import sys
from attns_core import FixedStep, Problem, build_registry
import numpy as np
registry = build_registry()
equation = registry.equation(sys.argv[1], **json.loads(sys.argv[2]))
dt = equation.dts[-1] / (1e6 if "stiff" in equation.tags else 1)
problem = Problem(equation=equation, u0=equation.initial_states(0, 4), t_save=equation.t0 + dt * np.arange(3))
registry.backend("numba").prepare(problem, registry.method("rk4"), FixedStep(dt), None, "float64")()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--core", type=int, default=max(os.cpu_count() or 1, 1) - 1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {given.core})
    rows: list[dict[str, Any]] = []
    longer: list[dict[str, Any]] = []
    for equation in build_registry().all("equation"):
        if given.only and equation.name not in given.only:
            continue
        rows.append({"equation": equation.name, "dim": equation.dim, **twice(equation.name)})
        print(rows[-1], flush=True)
        if equation.name == LONG_SUM:
            longer = [{"modes": n, **twice(equation.name, n_modes=n)} for n in MODES]
            print(*longer, sep="\n", flush=True)
    notes = [
        f"{processor()}, one core; RK4 on four trajectories, two steps, float64; whole processes, once each.",
        "first: nothing compiled before; cached: the same again.",
    ]
    tables = {"Equations": rows, f"{LONG_SUM} by its number of terms": longer}
    print(write("first_solve", "From process start to the first solution", notes, tables, given.out))


def twice(equation: str, **params: int) -> dict[str, float]:
    """Seconds with an empty and with a filled cache."""
    with tempfile.TemporaryDirectory() as cache:
        return {"first s": seconds(equation, params, cache), "cached s": seconds(equation, params, cache)}


def seconds(equation: str, params: dict[str, int], cache: str) -> float:
    """Wall time of one process that solves an equation with its kernels in ``cache``."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", CODE, equation, json.dumps(params)],
        env={**os.environ, "ATTNS_CACHE_DIR": cache},
        check=True,
    )
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
