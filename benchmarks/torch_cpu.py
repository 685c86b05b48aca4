"""The torch backend against torchdiffeq and torchode on one CPU core, all in the same run.

    python benchmarks/torch_cpu.py [--quick] [--rounds 15] [--out results/speed]

Every round runs every case once; figures are nanoseconds per trajectory and step, the best of all
rounds, with as many tries for every case. Set-up and compilation are the column ``first call``.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import RESULTS, interleaved, processor, version, write
from torch_cuda import products
from torch_peers import with_torchdiffeq, with_torchode
from workloads import Workload, workload

from attns_core.backends.torch_device import TorchBackend

STEPS = {"W1": 200, "W3": 100, "W6el": 20, "W6sp": 20}
PEERS = {"torchdiffeq": with_torchdiffeq, "torchode": with_torchode}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, few steps: does it run?")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(STEPS), choices=list(STEPS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rounds = 2 if given.quick else given.rounds

    tables: dict[str, list[dict[str, Any]]] = {}
    summary: list[dict[str, Any]] = []
    for name in given.only:
        load = workload(name)
        for dtype in ("float32",) if name.startswith("W6") else ("float64", "float32"):
            rows = compare(load, dtype, 20 if given.quick else STEPS[name], rounds)
            tables[f"{name}, {dtype}"] = rows
            summary.append({"workload": name, "dtype": dtype, **ratios(rows), "products ns": _products_ns(load, dtype)})
            print(f"{name} {dtype}: {summary[-1]}", flush=True)
    notes = [
        f"{processor()}, {given.threads} thread(s); torch {torch.__version__}; "
        f"torchdiffeq {version('torchdiffeq')}, torchode {version('torchode')}; best of {rounds} interleaved rounds.",
        "RK4 with 1000 trajectories, every tenth state saved; torchdiffeq's rk4 is the 3/8 rule; torchode has no RK4 "
        "and is given the tableau. W6: one hidden layer of 1024 rational units, one solve per step for the peers.",
        "Ratios to eager peers (as they are shipped) and to compiled ones, which evaluate our corrector module, "
        "compiled as well.",
        "Products: two matrix products of the corrector's size alone, by torch, in blocks of 128.",
        "First call: set-up, compilation and one run. Difference: largest at the end against float64 eager, relative.",
    ]
    name = "torch_cpu_quick" if given.quick else "torch_cpu"
    path = write(name, "torch on the CPU", notes, {"Ratios to the peers": summary, **tables}, given.out)
    print(path)


def compare(load: Workload, dtype: str, steps: int, rounds: int) -> list[dict[str, Any]]:
    """One row per case of a workload."""
    problem = load.problem(steps=steps)
    prepare: dict[str, Callable[[], Callable[[], Any]]] = {}
    for compiled in (True, False):
        mode = "compiled" if compiled else "eager"
        prepare[f"attns torch-cpu, {mode}"] = lambda compiled=compiled: _ours(load, problem, dtype, compiled)
        for peer, build in PEERS.items():
            prepare[f"{peer}, {mode}"] = lambda build=build, compiled=compiled: build(
                load, problem, getattr(torch, dtype), compiled=compiled
            )
    expected = _ours(load, problem, "float64", False)()
    cases: dict[str, Callable[[], Any]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for case, make in prepare.items():
        start = time.perf_counter()
        try:
            run = make()
            states = run()
        except Exception as error:  # a peer that cannot run a workload is a row, not the end of the table
            rows[case] = {"case": case, "remark": f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"}
            continue
        error = float(np.abs(states[-1] - expected[-1]).max() / np.abs(expected[-1]).max())
        rows[case] = {"case": case, "first call s": time.perf_counter() - start, "difference": error, "remark": ""}
        cases[case] = run
    unit = 1e9 / (problem.n * steps)
    for case, seconds in interleaved(cases, rounds).items():
        rows[case] |= {"best ns": min(seconds) * unit, "median ns": float(np.median(seconds)) * unit}
    columns = ("case", "best ns", "median ns", "first call s", "difference", "remark")
    return [{c: row.get(c) for c in columns} for row in rows.values()]


def ratios(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Best of ours against every peer, compiled and eager."""
    best = {row["case"]: row.get("best ns") or np.nan for row in rows}
    ours = float(np.nanmin([ns for case, ns in best.items() if case.startswith("attns")]))
    peers = {f"{case} / attns": ns / ours for case, ns in best.items() if not case.startswith("attns")}
    return {"attns ns": ours, **peers}


def _products_ns(load: Workload, dtype: str) -> float | None:
    """Nanoseconds per trajectory of the corrector's two matrix products alone."""
    if load.corrector is None:
        return None
    return products(load, getattr(torch, dtype), 128, torch.device("cpu"), 20) * 1e9


def _ours(load: Workload, problem: Any, dtype: str, compiled: bool) -> Callable[[], Any]:
    backend = TorchBackend(compile=compiled)
    prepared = backend.prepare(problem, load.method, load.control, load.corrector, dtype)
    return lambda: prepared().u


if __name__ == "__main__":
    main()
