"""Does ``attns compare --rerun`` call identical code a regression, and does it find a slowdown of 10 %?

Two runs of identical code and one of code that does 10 % more work are made with ``attns run``; then each
trial times the cells of two of them afresh, one run after the other in processes of their own as the
timing lane does, and judges the timings with the re-run that ``attns compare --rerun`` makes. Run it
on a machine as busy as the one that the answer is wanted for::

    python benchmarks/judge_trials.py --trials 100 --out results/judge_trials.json
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import reduce
from pathlib import Path
from typing import Any

from attns_harness.analysis import BenchmarkGroup, Side, Trial, judge
from attns_harness.analysis.sides import read_side
from attns_harness.retime import PROCESSES, ROUNDS, Alternation, Contestant, Server

PLANTED = 1.10
FRESH = 5
"""Trials after which all processes are started anew."""

PLUGIN = """
import numpy as np
from numba import njit

from attns_core import black_box, hookimpl

REPEATS = {repeats}


@njit
def follow(u, steps):
    for _ in range(steps):
        for l in range(u.shape[1]):
            x, v = u[0, l], u[1, l]
            u[0, l], u[1, l] = x + 1e-7 * v, v - 1e-7 * x / (1.0 + x * x)


@black_box(name="compiled", control="fixed")
def compiled(problem, control):
    u = problem.u0.copy()
    follow(u, 150 * REPEATS)
    return np.repeat(u[None], problem.t_save.size, axis=0)


@black_box(name="arrays", control="fixed")
def arrays(problem, control):
    f, u = problem.rhs("numpy"), problem.u0
    for _ in range(2 * REPEATS):
        u = u + 1e-7 * f(0.0, u)
    return np.repeat(u[None], problem.t_save.size, axis=0)


@hookimpl
def attns_solvers():
    return [compiled, arrays]
"""

MATRIX = """
name = "work"
plugins = ["work.py"]
[[block]]
equations = [{ name = "lotka-volterra", t_end = 1, n_trajectories = 64 }]
solvers = ["compiled", "arrays"]
dts = [0.1]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: make_run(Path(folder) / name, repeats) for name, repeats in
                (("old", 100), ("same", 100), ("slower", round(100 * PLANTED)))}  # fmt: skip
        result = {
            "trials": arguments.trials,
            "load_before": os.getloadavg()[0],
            "processors": os.cpu_count(),
            "identical": trials(runs["same"], runs["old"], arguments.trials),
            f"slower by {PLANTED - 1:.0%}": trials(runs["slower"], runs["old"], arguments.trials),
            "load_after": os.getloadavg()[0],
        }
    text = json.dumps(result, indent=1)
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(text + "\n", encoding="utf-8")
    print(text)


def make_run(folder: Path, repeats: int) -> Contestant:
    """A run of the two solvers with that much work."""
    folder.mkdir()
    (folder / "work.py").write_text(PLUGIN.format(repeats=repeats), encoding="utf-8")
    (folder / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    command = ["-m", "attns_harness", "run", str(folder / "matrix.toml"), "--out", str(folder / "run"), "--no-report"]
    subprocess.run([sys.executable, *command, "--quiet"], check=True)
    return Contestant(run_dir=folder / "run", cells=read_side(folder / "run")[1])


def trials(new: Contestant, old: Contestant, count: int) -> dict[str, Any]:
    """What became of ``count`` judgements of every cell."""
    found: list[dict[str, Any]] = []
    started = time.perf_counter()
    for begin in range(0, count, FRESH):
        with contextlib.ExitStack() as stack:
            first, second = (stack.enter_context(Server(sys.executable, c.run_dir)) for c in (old, new))
            again = stack.enter_context(Alternation(new, old))
            for number in range(begin, min(begin + FRESH, count)):
                before = BenchmarkGroup({key: stored(first, cell) for key, cell in old.cells.items()})
                after = BenchmarkGroup({key: stored(second, cell) for key, cell in new.cells.items()})
                for verdict in judge(Side(after), Side(before), rerun=again):
                    assert verdict.ratio is not None
                    entry = {"trial": number, "what": verdict.key[1], "verdict": verdict.verdict,
                             "ratio": verdict.ratio.value, "remark": verdict.remark}  # fmt: skip
                    print(json.dumps(entry), file=sys.stderr, flush=True)
                    found.append(entry)
    flagged = {f["trial"] for f in found if f["verdict"] == "regression"}
    return {
        "trials with a regression": len(flagged),
        "judgements": {
            what: {
                verdict: sum(f["what"] == what and f["verdict"] == verdict for f in found)
                for verdict in ("improvement", "regression", "invariant")
            }
            for what in sorted({f["what"] for f in found})
        },
        "judgements that were measured again": sum("again" in f["remark"] for f in found),
        "too noisy to tell": sum("noisy" in f["remark"] for f in found),
        "ratios": sorted(round(f["ratio"], 4) for f in found),
        "seconds": time.perf_counter() - started,
    }


def stored(server: Server, cell: str) -> Trial:
    """As long a timing as the timing lane takes: the turns of a re-run have twice its budget together."""
    return reduce(Trial.join, (server.time(cell) for _ in range(PROCESSES * ROUNDS // 2)))


if __name__ == "__main__":
    main()
