"""Every workload, ours against other libraries, interleaved on one pinned core.

    python benchmarks/compare.py [--quick] [--only W1 W7] [--rounds 15] [--core 1] [--again]

Each case is checked against a reference before it is timed, gets as many tries as every other, and
counts with its best. Each workload's figures are written as they come (``results/speed/parts``), and
kept on the next call unless ``--again``; the tables are made of all parts there are.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np  # noqa: E402
from cpu_peers import adaptive_peers, fixed_step_peers  # noqa: E402
from measure import RESULTS, interleaved, processor, write  # noqa: E402
from workloads import Workload, attention, plain, registry, workload  # noqa: E402

from attns_core import Adaptive, Problem  # noqa: E402
from attns_core.backends.numba_cpu import NumbaBackend  # noqa: E402
from attns_core.backends.numpy_reference import NumpyBackend  # noqa: E402

FIXED = [(w, d) for w in ("W1", "W2", "W3", "W4", "W5k2", "W5k4") for d in ("float64", "float32")]
WIDE = [("W6el", "float32"), ("W6sp", "float32")]
ADAPTIVE = {"W7": ("elastic-pendulum", 50.0), "W7hh": ("henon-heiles", 50.0)}
DELIVERED = (1e-6, 1e-9)
OURS, OURS_FAST = "attns", "attns, fast-math"
# Ratios to the best fixed-step peer that are aimed at, default semantics and fast-math.
TARGETS = {
    ("W1", "float64"): (2.5, 4.0), ("W1", "float32"): (2.5, 4.0), ("W2", "float64"): (2.0, 3.5),
    ("W2", "float32"): (1.5, 2.5), ("W3", "float64"): (2.0, 3.5), ("W3", "float32"): (2.0, 3.5),
    ("W4", "float64"): (1.6, 1.8), ("W4", "float32"): (1.6, 1.8), ("W5k2", "float64"): (3.5, 5.0),
    ("W5k2", "float32"): (3.5, 5.0), ("W5k4", "float64"): (3.5, 5.0), ("W5k4", "float32"): (3.5, 5.0),
    ("W6el", "float32"): (1.5, 1.8), ("W6sp", "float32"): (1.0, 1.8),
}  # fmt: skip
# Times of the bare step that corrected steps may take.
TIMES_BARE = {"plain on u, 64 units": 6.0, "stage attention, 16 units": 4.5, "stage attention, 64 units": 12.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, short solves: does it run?")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--core", type=int, default=max(os.cpu_count() or 1, 1) - 1)
    parser.add_argument("--only", nargs="*", default=[], help="workloads, e.g. W1 W6b W7")
    parser.add_argument("--again", action="store_true", help="measure also what has figures already")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {given.core})
    rounds = 2 if given.quick else given.rounds
    parts = given.out / ("parts_quick" if given.quick else "parts")
    parts.mkdir(parents=True, exist_ok=True)
    jobs: list[tuple[str, Any]] = [
        (f"{w}-{d}", lambda w=w, d=d: fixed(w, d, rounds, given.quick)) for w, d in FIXED + WIDE
    ]
    jobs.append(("W6b-float64", lambda: corrected(rounds, given.quick)))
    jobs += [(f"{w}-float64", lambda w=w: adaptive(w, rounds, given.quick)) for w in ADAPTIVE]
    for name, job in jobs:
        path = parts / f"{name}.json"
        if (given.only and name.split("-")[0] not in given.only) or (path.exists() and not given.again):
            continue
        rows = job()
        path.write_text(json.dumps(rows, indent=1))
        for row in rows:
            print(row, flush=True)
    print(tables(parts, given.out, given.quick, rounds))


def fixed(name: str, dtype: str, rounds: int, quick: bool) -> list[dict[str, Any]]:
    """Fixed-step workloads, corrected ones included: nanoseconds per trajectory and step."""
    load = workload(name)
    steps = min(load.steps, 20_000 if load.n == 1 else 200) if quick else load.steps
    problem = load.problem(steps=steps)
    runs: dict[str, Any] = {}
    first: dict[str, float] = {}

    def add(case: str, build: Any) -> None:
        start = time.perf_counter()
        try:
            run = build()
            output = run()
        except Exception as error:
            failed[case] = f"{type(error).__name__}: {error}".splitlines()[0][:80]
            return
        first[case] = time.perf_counter() - start
        errors[case] = error_of(output, problem, expected, index)
        runs[case] = run

    failed: dict[str, str] = {}
    errors: dict[str, float] = {}
    index, expected = reference(load, problem)
    for case, fastmath in ((OURS, False), (OURS_FAST, True)):
        backend = NumbaBackend(fastmath=fastmath)
        add(case, lambda backend=backend: _states(backend, load, problem, dtype))
    for case, build in fixed_step_peers(load, dtype).items():
        add(case, lambda build=build: build(problem))
    # The scheme's own error, as the oracle commits it, with room for another fourth-order tableau.
    few = Problem(
        equation=load.equation, u0=problem.u0[:, :3], t_save=problem.t_save[: problem.t_save.size + index + 1]
    )
    oracle = NumpyBackend().prepare(few, load.method, load.control, load.corrector, dtype)()
    allowed = 20 * error_of(oracle.u, few, expected, -1) + (1e-10 if dtype == "float64" else 1e-3)
    good = {case: run for case, run in runs.items() if errors[case] <= allowed}
    seconds = interleaved(good, rounds)
    unit = 1e9 / (problem.n * steps)
    rows = []
    flops = operations(load)
    top = peak(dtype)
    for case in [*runs, *failed]:
        row: dict[str, Any] = {"workload": name, "dtype": dtype, "case": case}
        if case in seconds:
            best = min(seconds[case]) * unit
            row |= {"ns": best, "median": float(np.median(seconds[case])) * unit}
            row |= {"spread": max(seconds[case]) / min(seconds[case]) - 1, "first_call_s": first[case]}
            row |= {"error": errors[case], "share_of_peak": flops / best / top, "note": ""}
        else:
            row["note"] = failed.get(case) or f"check failed: error {errors[case]:.1e}"
        rows.append(row)
    return rows


def _states(backend: NumbaBackend, load: Workload, problem: Problem, dtype: str) -> Any:
    run = backend.prepare(problem, load.method, load.control, load.corrector, dtype)
    return lambda: run().u


def reference(load: Workload, problem: Problem) -> tuple[int, Any]:
    """Trusted states of three trajectories near t = 1, and that time's index from the end."""
    at = max(1, int(np.searchsorted(problem.t_save, problem.t0 + 1.0 - 1e-9)))
    at = min(at, problem.t_save.size - 1)
    few = Problem(equation=load.equation, u0=problem.u0[:, :3], t_save=problem.t_save[: at + 1])
    if load.corrector is not None:
        # A corrected step is defined by its formula alone.
        states = NumpyBackend().prepare(few, load.method, load.control, load.corrector, "float64")().u[-1]
        return at - problem.t_save.size, states
    return at - problem.t_save.size, dop853(few)[-1]


def dop853(problem: Problem, tolerance: float = 1e-12) -> Any:
    """SciPy's DOP853, trajectory by trajectory: independent of everything measured here."""
    from scipy.integrate import solve_ivp

    equation = problem.equation
    solutions = [
        solve_ivp(
            lambda t, y: equation.evaluate(t, y[:, None])[:, 0],
            (problem.t0, problem.t_end), problem.u0[:, i], method="DOP853", rtol=tolerance, atol=tolerance / 10,
            t_eval=problem.t_save,
        ).y.T
        for i in range(problem.n)
    ]  # fmt: skip
    return np.stack(solutions, axis=2)


def error_of(output: Any, problem: Problem, expected: Any, index: int) -> float:
    states = np.asarray(output, dtype=np.float64)[index][:, : expected.shape[1]]
    return float(np.abs(states - expected).max() / np.abs(expected).max())


def operations(load: Workload) -> float:
    """Floating-point operations of a step, from the traced count and the tableau."""
    from attns_core.tracing import trace

    t, dim = load.method.tableau, load.equation.dim
    terms = int(np.count_nonzero(t.a)) + int(np.count_nonzero(t.b))
    bare = t.effective_stages * trace(load.equation).operations + 2 * terms * dim
    return bare + (0 if load.corrector is None else load.corrector.operations)


def peak(dtype: str) -> float:
    """Floating-point operations per nanosecond in a matrix product: the core's practical limit."""
    a = np.random.default_rng(0).random((768, 768)).astype(dtype)
    out = np.empty_like(a)
    seconds = interleaved({"product": lambda: np.dot(a, a, out=out)}, 8)["product"]
    return 2 * 768**3 / min(seconds) / 1e9


def corrected(rounds: int, quick: bool) -> list[dict[str, Any]]:
    """W6b: what a correction costs on top of the bare step."""
    load = workload("W1")
    steps = 200 if quick else load.steps
    problem = load.problem(steps=steps)
    terms = {
        "bare RK4": None,
        "plain on u, 64 units": plain(load.equation, 64),
        "stage attention, 16 units": attention(load.equation, 16),
        "stage attention, 64 units": attention(load.equation, 64),
    }
    rows: list[dict[str, Any]] = []
    bare_flops, top = operations(load), peak("float64")
    for fastmath in (False, True):
        backend = NumbaBackend(fastmath=fastmath)
        runs = {k: backend.prepare(problem, load.method, load.control, c, "float64") for k, c in terms.items()}
        seconds = interleaved(runs, rounds)
        for case, samples in seconds.items():
            best = min(samples) * 1e9 / problem.n / steps
            ratio = min(samples) / min(seconds["bare RK4"])
            spread = max(samples) / min(samples) - 1
            name = case + (", fast-math" if fastmath else "")
            term = terms[case]
            flops = bare_flops + (0 if term is None else term.operations)
            row: dict[str, Any] = {"workload": "W6b", "case": name, "ns": best, "times_bare": ratio}
            row |= {"allowed": TIMES_BARE.get(case), "spread": spread, "share_of_peak": flops / best / top}
            rows.append(row)
    return rows


def adaptive(name: str, rounds: int, quick: bool) -> list[dict[str, Any]]:
    """Adaptive solves at equal delivered error: the largest over trajectories and saved times."""
    equation_name, t_end = ADAPTIVE[name]
    equation = registry().equation(equation_name)
    n = 20 if quick else 100
    problem = Problem(
        equation=equation,
        u0=equation.initial_states(0, n),
        t_save=np.linspace(0, 5.0 if quick else t_end, 51 if quick else 501),
    )
    checked = min(n, 10)
    expected = dop853(Problem(equation=equation, u0=problem.u0[:, :checked], t_save=problem.t_save), 1e-13)
    size = np.abs(expected).max(axis=(0, 2), keepdims=True)
    solvers: dict[str, Any] = {}
    for method in ("verner9", "dop853", "verner7", "tsit5"):
        solvers[f"{OURS} {method}"] = lambda p, tol, m=method: _adaptive_states(p, tol, m)
    solvers |= adaptive_peers()
    rows, curves = [], {}
    tolerances = [1e-5, 1e-8, 1e-11] if quick else [10.0**-k for k in range(3, 14)]
    for solver, build in solvers.items():
        points = []
        for tolerance in tolerances:
            try:
                run = build(problem, tolerance)
                error = float((np.abs(np.asarray(run())[:, :, :checked] - expected) / size).max())
            except Exception as failure:
                rows.append({"workload": name, "case": solver, "note": f"{type(failure).__name__}: {failure}"[:90]})
                break
            points.append((tolerance, error, run))
        curves[solver] = points
    timings = interleaved({f"{s} {t:g}": run for s, pts in curves.items() for t, _, run in pts}, rounds)
    for solver, points in curves.items():
        errors = np.array([e for _, e, _ in points])
        best = np.array([min(timings[f"{solver} {t:g}"]) for t, _, _ in points]) * 1e6 / n
        for delivered in DELIVERED:
            rows.append({"workload": name, "case": solver, "error": delivered, "us": at_error(errors, best, delivered)})
    return rows


def _adaptive_states(problem: Problem, tolerance: float, method: str) -> Any:
    control = Adaptive(rtol=tolerance, atol=tolerance)
    run = NumbaBackend().prepare(problem, registry().method(method), control, None, "float64")
    return lambda: run().u


def at_error(errors: Any, cost: Any, wanted: float) -> float | None:
    """Cost at a delivered error, interpolated in logarithms; None where the curve does not reach.

    Where even the loosest tolerance delivers less, its cost counts.
    """
    order = np.argsort(errors)
    errors, cost = errors[order], cost[order]
    usable = np.isfinite(errors) & (errors > 0)
    errors, cost = errors[usable], cost[usable]
    if errors.size == 0 or errors[0] > wanted:
        return None
    return float(np.exp(np.interp(np.log(wanted), np.log(errors), np.log(cost))))


def tables(parts: Path, out: Path, quick: bool, rounds: int) -> Path:
    """CSV and Markdown of all parts, with ratios to the best peer."""
    import pandas as pd

    name = "cpu_quick" if quick else "cpu"
    out.mkdir(parents=True, exist_ok=True)
    measured = {path.stem: json.loads(path.read_text()) for path in parts.glob("*.json")}
    stored = _stored(out / f"{name}.csv")
    rows = [row for _, part in sorted({**stored, **measured}.items()) for row in part]
    pd.DataFrame(rows).to_csv(out / f"{name}.csv", index=False)
    ratios = []
    fixed_rows = [r for r in rows if "ns" in r and "dtype" in r]
    for key in dict.fromkeys((r["workload"], r["dtype"]) for r in fixed_rows):
        cases = {r["case"]: r["ns"] for r in fixed_rows if (r["workload"], r["dtype"]) == key}
        peers = {c: ns for c, ns in cases.items() if c not in (OURS, OURS_FAST)}
        if OURS in cases and peers:
            rival = min(peers, key=lambda c: peers[c])
            aim, aim_fast = TARGETS[key]
            ratios.append(
                {
                    "workload": key[0], "dtype": key[1], "ours": cases[OURS], "fast-math": cases.get(OURS_FAST),
                    "best peer": rival, "peer": peers[rival], "ratio": peers[rival] / cases[OURS], "target": aim,
                    "ratio, fast-math": peers[rival] / cases[OURS_FAST] if OURS_FAST in cases else None,
                    "target, fast-math": aim_fast,
                }
            )  # fmt: skip
    notes = [
        f"{processor()}, one pinned core; best of {rounds} interleaved rounds, equal for all cases.",
        "Fixed steps: nanoseconds per trajectory and step, RK4, every tenth state saved; error: against SciPy's DOP853 "
        "at t = 1, relative. Default semantics: full-range elementary functions within 4 units in the last place.",
        "Adaptive: microseconds per trajectory at equal delivered error (largest, all saved times); empty: none.",
        "Share of peak: operations from the traced count (a sine counts 20, see attns_core.maths.COST) over those of a "
        "matrix product on the same core; 1 is the limit.",
        f"Width of vectors asked for by ours: {NumbaBackend().asked_vector_bits or 'the choice of the compiler'}.",
    ]
    sections: dict[str, list[dict[str, Any]]] = {"Ratio to the best fixed-step peer": ratios}
    for key in dict.fromkeys((r["workload"], r.get("dtype", "")) for r in rows):
        sections[" ".join(key).strip()] = [
            {k: v for k, v in r.items() if k not in ("workload", "dtype")}
            for r in rows
            if (r["workload"], r.get("dtype", "")) == key
        ]
    return write(name, "Speed on the CPU", notes, sections, out)


def _stored(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of an earlier table by the names of their parts: what is not measured now stays."""
    import pandas as pd

    found: dict[str, list[dict[str, Any]]] = {}
    if path.exists():
        for _, values in pd.read_csv(path, keep_default_na=False, na_values=[""]).iterrows():
            row: dict[str, Any] = values.dropna().to_dict()
            found.setdefault(f"{row['workload']}-{row.get('dtype', 'float64')}", []).append(row)
    return found


if __name__ == "__main__":
    main()
