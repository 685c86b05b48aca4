"""Throughput of the torch backend on a GPU, against the limits of the device, jax and numba.

    python benchmarks/torch_cuda.py [--quick] [--out results/speed]

The limits are measured first, on the same device: bandwidth of a large copy, arithmetic of a long
chain of multiply-adds in one kernel, and matrix products. A step has to read and write the state
once, and to do its operations (those of the right-hand side from its trace, the stage combinations
and the corrector); the larger of the two times is the limit. Times are between device events; states
stay on the device and only the last is saved, so no transfer is part of them.

``--device cpu`` runs the same script without a GPU, to see that it works; its figures mean nothing.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax_peers
import numpy as np
import torch
from measure import RESULTS, processor, version, write
from workloads import WIDTH, Workload, registry, workload

from attns_core import FixedStep
from attns_core.backends.torch_compile import compile_step
from attns_core.backends.torch_corrector import CorrectorModule
from attns_core.backends.torch_device import describe_device, device_missing
from attns_core.backends.torch_fixed import prepare_rollout
from attns_core.tracing import trace

NAMES = ("W1", "W3", "W6el", "W6sp")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small batches, few steps: does it run?")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", nargs="*", default=list(NAMES), choices=list(NAMES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    missing = device_missing(given.device)
    if missing is not None:
        print(f"nothing measured: {missing}")
        return
    # jax takes three quarters of a GPU's memory on its first call otherwise, and torch shares the device.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    device = torch.device(given.device)
    sizes = (100, 1000) if given.quick else (100_000, 1_000_000, 10_000_000)
    rounds = 2 if given.quick else given.rounds

    limits = {dtype: device_limits(device, dtype, small=given.quick) for dtype in ("float64", "float32")}
    print(limits, flush=True)
    tables: dict[str, list[dict[str, Any]]] = {
        "Limits of the device": [{"dtype": dtype, **found} for dtype, found in limits.items()]
    }
    crossed: list[str] = []
    for name in given.only:
        load = workload(name)
        rows = []
        for dtype in ("float64", "float32"):
            for n in sizes:
                rows.append(throughput(load, dtype, n, device, limits[dtype], rounds, 20 if given.quick else 200))
                print(name, rows[-1], flush=True)
        tables[f"{name}: throughput"] = rows
        tables[f"{name}: crossover against numba"] = rows = crossover(load, device, rounds, small=given.quick)
        overtaken = [row["n"] for row in rows if row["numba / torch"] > 1]
        crossed.append(f"{name} from {min(overtaken)}" if overtaken else f"{name} at none of these")
    facts = describe_device(device) | {name: version(name) for name in ("jax", "diffrax", "numba")}
    title = str(facts.get("gpu", processor()))
    notes = [
        ", ".join(f"{key} {value}" for key, value in facts.items()),
        f"numba on {processor()}; best of {rounds} rounds; nanoseconds per trajectory and step.",
        "share: limit / measured. matmul share: time of the two plain matrix products of the corrector / measured.",
        f"Batch sizes from which torch is ahead of numba, float64: {'; '.join(crossed)}.",
        "Matrix products in full float32, in jax as well.",
    ]
    suffix = "_quick" if given.quick else ""
    label = "".join(c if c.isalnum() else "-" for c in title.lower()).strip("-")
    print(write(f"torch_{device.type}_{label}{suffix}", f"torch on {title}", notes, tables, given.out))


def seconds_of(run: Callable[[], Any], device: torch.device, rounds: int) -> float:
    """Best of ``rounds`` after one warm-up: between events on a GPU, by the clock elsewhere."""
    run()
    best = float("inf")
    for _ in range(rounds):
        if device.type == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            run()
            end.record()
            end.synchronize()
            best = min(best, begin.elapsed_time(end) / 1e3)
        else:
            start = time.perf_counter()
            run()
            best = min(best, time.perf_counter() - start)
    return best


def device_limits(device: torch.device, dtype: str, *, small: bool) -> dict[str, float]:
    """Bandwidth (B/s), multiply-add and matrix-product rates (flop/s), measured."""
    precision: Any = getattr(torch, dtype)
    n = 1 << (20 if small else 28)
    source = torch.ones(n, dtype=precision, device=device)
    target = torch.empty_like(source)
    copied = 2 * n * source.element_size() / seconds_of(lambda: target.copy_(source), device, 5)

    m = 1 << (16 if small else 24)
    length = 64 if small else 512

    def chain(t: Any, u: Any) -> Any:
        (x,) = u.unbind(0)
        for i in range(length):
            x = x * 0.999 + 1e-3 / (i + 1)
        return x[None]

    u = torch.ones((1, m), dtype=precision, device=device)
    zero = torch.zeros((), dtype=torch.float64, device=device)
    fused, _ = compile_step(lambda form: chain, zero, u, dt=0.0)
    arithmetic = 2 * length * m / seconds_of(lambda: fused(zero, u), device, 5)

    side = 512 if small else 8192
    a = torch.rand((side, side), dtype=precision, device=device)  # ones draw less power, so run faster
    product = 2 * side**3 / seconds_of(lambda: a @ a, device, 3)
    return {"copy B/s": copied, "multiply-add flop/s": arithmetic, "matrix product flop/s": product}


def operations(load: Workload) -> tuple[float, float]:
    """Operations of one step outside and inside the corrector."""
    tableau = load.method.tableau
    combinations = 2 * (np.count_nonzero(tableau.a) + np.count_nonzero(tableau.b)) * load.equation.dim
    plain = tableau.effective_stages * trace(load.equation).operations + combinations + load.equation.dim
    return float(plain), float(load.corrector.operations if load.corrector is not None else 0)


def throughput(
    load: Workload, dtype: str, n: int, device: torch.device, limits: dict[str, float], rounds: int, steps: int
) -> dict[str, Any]:
    """Measured time per trajectory and step beside the limit and the peers."""
    precision: Any = getattr(torch, dtype)
    plain, learned = operations(load)
    bytes_moved = 2 * load.equation.dim * precision.itemsize
    limit = max(
        bytes_moved / limits["copy B/s"],
        plain / limits["multiply-add flop/s"] + learned / limits["matrix product flop/s"],
    )
    row: dict[str, Any] = {"dtype": dtype, "n": n, "limit ns": limit * 1e9}
    unit = 1e9 / (n * steps)
    try:
        start = time.perf_counter()
        rollout, extra = ours(load, dtype, n, steps, device)
        row["set-up s"] = time.perf_counter() - start
        with torch.inference_mode():
            row["measured ns"] = seconds_of(rollout, device, rounds) * unit
        row |= {"share": limit * 1e9 / row["measured ns"], "block": extra["block"]}
        if learned:
            row["matmul share"] = products(load, precision, extra["block"], device, rounds) * 1e9 / row["measured ns"]
    except torch.OutOfMemoryError:
        row["remark"] = "out of memory"
        return row
    finally:
        if device.type == "cuda":
            torch.cuda.empty_cache()
    platform = "gpu" if device.type == "cuda" else "cpu"
    reason = jax_peers.available(platform)
    row["remark"] = reason or ""
    if reason is None:
        peers = {"jax": jax_peers.with_scan} | ({} if load.corrector else {"diffrax": jax_peers.with_diffrax})
        problem = load.problem(n=n, steps=steps, save_every=steps)
        for peer, build in peers.items():
            try:
                best = wall(build(load, problem, dtype, platform), rounds)
            except Exception as error:  # a peer that cannot is a remark, not the end of the table
                row["remark"] += f"{peer}: {type(error).__name__} "
                continue
            row[f"{peer} / attns"] = best * unit / row["measured ns"]
    return row


def wall(run: Callable[[], Any], rounds: int) -> float:
    """Best by the clock, for calls that return when they are done."""
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def ours(load: Workload, dtype: str, n: int, steps: int, device: torch.device) -> tuple[Callable[[], Any], Any]:
    problem = load.problem(n=n, steps=steps, save_every=steps)
    precision: Any = getattr(torch, dtype)
    with torch.inference_mode():
        module = None
        if load.corrector is not None:
            module = CorrectorModule.from_trained(load.corrector, dtype=precision, device=device)
        return prepare_rollout(
            problem,
            load.method,
            load.dt,
            problem.steps_per_save(load.control),
            corrector=module,
            dtype=precision,
            device=device,
            compile=True,
        )


def products(load: Workload, precision: Any, block: int, device: torch.device, rounds: int) -> float:
    """Seconds per trajectory of the corrector's two matrix products alone, at the same block size."""
    dim = load.equation.dim
    first, second = (torch.rand(s, dtype=precision, device=device) for s in ((WIDTH, dim), (dim, WIDTH)))
    u, hidden = (torch.rand((rows, block), dtype=precision, device=device) for rows in (dim, WIDTH))
    out, back = torch.empty_like(hidden), torch.empty_like(u)
    repeats = 20

    def run() -> None:
        for _ in range(repeats):
            torch.mm(first, u, out=out)
            torch.mm(second, hidden, out=back)

    return seconds_of(run, device, rounds) / (repeats * block)


def crossover(load: Workload, device: torch.device, rounds: int, *, small: bool) -> list[dict[str, Any]]:
    """Batch sizes at which the device overtakes numba on all cores of its host."""
    from dataclasses import replace
    from os import cpu_count

    numba = replace(registry().backend("numba"), threads=cpu_count() or 1)
    steps, rows = (20 if small else 200), []
    for n in (1, 100) if small else (1, 100, 1000, 10_000, 100_000, 1_000_000):
        problem = load.problem(n=n, steps=steps, save_every=steps)
        prepared = numba.prepare(problem, load.method, FixedStep(load.dt), load.corrector, "float64")
        rollout, _ = ours(load, "float64", n, steps, device)
        with torch.inference_mode():
            device_time = seconds_of(rollout, device, rounds)
        host_time = wall(prepared, rounds)
        rows.append(
            {
                "n": n,
                f"{device.type} ns": device_time * 1e9 / (n * steps),
                "numba ns": host_time * 1e9 / (n * steps),
                "numba / torch": host_time / device_time,
            }
        )
    return rows


if __name__ == "__main__":
    main()
