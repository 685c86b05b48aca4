"""Comparison at equal error, and at equal cost, with the fastest classical solver of the run.

N. McGreivy and A. Hakim, "Weak baselines and reporting biases lead to overoptimism in machine learning
for fluid-related partial differential equations", Nature Machine Intelligence 6 (2024),
arXiv 2407.07218: compare at equal accuracy or equal run time, with an efficient standard method.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from attns_harness.analysis.crossing import Reading, cost_at, fastest, most_accurate
from attns_harness.analysis.curve import Curve, ladder
from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.intervals import Interval, geometric_interval
from attns_harness.analysis.work_precision import WorkPrecisionSet

EQUAL_ERROR = (
    "problem",
    "series",
    "error",
    "ratio",
    "low",
    "high",
    "status",
    "baseline",
    "seeds",
    "seeds_reached",
    "cost",
    "baseline_cost",
)
EQUAL_COST = ["problem", "series", "control", "cost", "ratio", "low", "high", "status", "baseline", "seeds"]


def equal_error(
    points: WorkPrecisionSet,
    *,
    error: str = "error_l2_scaled",
    cost: str = "time",
    levels: Sequence[float] | None = None,
) -> Frame:
    """Cost of the fastest classical solver over a solver's own, at a ladder of errors.

    Parameters
    ----------
    levels : sequence of float, optional
        Errors to compare at; default powers of ten within the problem's measured range.

    Returns
    -------
    DataFrame
        One row per problem, learned or third-party series, and level. ``ratio`` above 1: it is that
        many times cheaper; geometric mean over seeds with its 95 % interval. ``status`` is ``ok``;
        ``at least`` (its coarsest step is already more accurate); ``at most`` (the classical one's is);
        ``undetermined`` (both); ``not reached`` (by the solver in ``seeds - seeds_reached`` seeds);
        ``baseline not reached``.
    """
    rows = []
    for problem in points.problems:
        curves = {name: points.curve(problem, name, error=error, cost=cost) for name in points.series(problem)}
        for name in points.compared(problem):
            curve, classical = curves[name], classical_besides(name, curves)
            for level in _levels(curves, levels):
                rows.append({"problem": problem, "series": name, "error": level, **_compare(curve, classical, level)})
    return pd.DataFrame(rows, columns=EQUAL_ERROR)


def classical_best(
    points: WorkPrecisionSet,
    *,
    error: str = "error_l2_scaled",
    cost: str = "time",
    levels: Sequence[float] | None = None,
) -> Frame:
    """Which classical solver is the cheapest at each error of the ladder, and what it costs."""
    rows = []
    for problem in points.problems:
        curves = {name: points.curve(problem, name, error=error, cost=cost) for name in points.series(problem)}
        classical = classical_besides("", curves)
        for level in _levels(curves, levels):
            name, reading = fastest(classical, level)
            rows.append({"problem": problem, "error": level, "fastest": name or "none", "cost": reading.value,
                         "status": reading.status})  # fmt: skip
    return pd.DataFrame(rows, columns=["problem", "error", "fastest", "cost", "status"])


def equal_cost(points: WorkPrecisionSet, *, error: str = "error_l2_scaled", cost: str = "time") -> Frame:
    """Error of the most accurate classical solver over a solver's own, at the solver's own costs.

    ``ratio`` above 1: the series is that many times more accurate for the same cost.
    ``status`` is ``ok``, ``at most`` (the classical solver was measured only at lower cost) or
    ``baseline not reached`` (no classical solver is so cheap).
    """
    rows = []
    for problem in points.problems:
        curves = {name: points.curve(problem, name, error=error, cost=cost) for name in points.series(problem)}
        for name in points.compared(problem):
            curve, classical = curves[name], classical_besides(name, curves)
            rows += [{"problem": problem, "series": name, **row} for row in _at_own_costs(curve, classical)]
    return pd.DataFrame(rows, columns=EQUAL_COST)


def classical_besides(name: str, curves: dict[str, Curve]) -> dict[str, Curve]:
    """The classical curves a series is compared with: all but itself."""
    return {other: curve for other, curve in curves.items() if not curve.learned and other != name}


def _levels(curves: dict[str, Curve], levels: Sequence[float] | None) -> Sequence[float]:
    if levels is not None:
        return levels
    errors = [float(e) for curve in curves.values() for e in np.maximum(curve.error, curve.uncertainty)]
    floor = max((float(c.uncertainty.max()) for c in curves.values() if len(c.uncertainty)), default=0.0)
    return [e for e in ladder(errors) if e >= floor]


def _seeds(curve: Curve) -> list[float]:
    return sorted(set(curve.seed.tolist()) | set(curve.failures["seed"].dropna().tolist())) or [0.0]


def of_seed(classical: dict[str, Curve], seed: float) -> dict[str, Curve]:
    """Classical curves of one seed; a solver that was not run with it enters with all its points."""
    return {name: c.of_seed(seed) if np.any(c.seed == seed) else c for name, c in classical.items()}


def _compare(curve: Curve, classical: dict[str, Curve], level: float) -> dict[str, object]:
    seeds = _seeds(curve)
    pairs: list[tuple[str, Reading, Reading]] = []
    for seed in seeds:
        name, base = fastest(of_seed(classical, seed), level)
        pairs.append((name, base, cost_at(curve.of_seed(seed), level)))
    reached = sum(own.reached for _, _, own in pairs)
    names = Counter(name for name, base, _ in pairs if base.reached)
    status, interval = _status(pairs), Interval(float("nan"), None, None, 0)
    if status in ("ok", "at least", "at most", "undetermined"):
        interval = geometric_interval([base.value / own.value for _, base, own in pairs])
    costs = [own.value for _, _, own in pairs if own.reached]
    bases = [base.value for _, base, _ in pairs if base.reached]
    return {
        "ratio": interval.value,
        "low": interval.low,
        "high": interval.high,
        "status": status,
        "baseline": names.most_common(1)[0][0] if names else "",
        "seeds": len(seeds),
        "seeds_reached": reached,
        "cost": geometric_interval(costs).value if costs else float("nan"),
        "baseline_cost": geometric_interval(bases).value if bases else float("nan"),
    }


def _status(pairs: Sequence[tuple[str, Reading, Reading]]) -> str:
    if not all(own.reached for _, _, own in pairs):
        return "not reached"
    if not all(base.reached for _, base, _ in pairs):
        return "baseline not reached"
    own_bound = any(own.status == "at most" for _, _, own in pairs)
    base_bound = any(base.status == "at most" for _, base, _ in pairs)
    return {
        (False, False): "ok",
        (True, False): "at least",
        (False, True): "at most",
        (True, True): "undetermined",
    }[own_bound, base_bound]


def _at_own_costs(curve: Curve, classical: dict[str, Curve]) -> list[dict[str, object]]:
    rows = []
    for control in sorted(set(curve.control.tolist()), reverse=True):
        here = np.flatnonzero(curve.control == control)
        ratios, names, statuses = [], Counter(), []
        for i in here:
            name, base = most_accurate(of_seed(classical, curve.seed[i]), float(curve.cost[i]))
            statuses.append(base.status)
            if base.reached:
                names[name] += 1
                ratios.append(base.value / max(float(curve.error[i]), float(curve.uncertainty[i]), 1e-300))
        complete = len(ratios) == len(here)
        interval = geometric_interval(ratios) if complete else Interval(float("nan"), None, None, 0)
        status = "baseline not reached" if not complete else ("at most" if "at most" in statuses else "ok")
        rows.append({
            "control": control, "cost": float(np.exp(np.mean(np.log(curve.cost[here])))), "ratio": interval.value,
            "low": interval.low, "high": interval.high, "status": status, "seeds": len(here),
            "baseline": names.most_common(1)[0][0] if names else "",
        })  # fmt: skip
    return rows
