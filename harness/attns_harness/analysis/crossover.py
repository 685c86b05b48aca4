"""Crossover points: the error at which one solver begins to be cheaper than another."""

from itertools import combinations
from typing import Any

import numpy as np

from attns_harness.analysis.curve import Curve
from attns_harness.analysis.equal_error import of_seed
from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.intervals import geometric_interval
from attns_harness.analysis.work_precision import WorkPrecisionSet

COLUMNS = ["problem", "cheaper_above", "cheaper_below", "error", "low", "high", "cost", "seeds"]


def crossovers(points: WorkPrecisionSet, *, error: str = "error_l2_scaled", cost: str = "time") -> Frame:
    """Every error at which the cheaper of two solvers changes, where both curves reach it.

    Pairs are each learned or third-party series with each classical one, and the classical ones with
    each other.

    Returns
    -------
    DataFrame
        ``error``: geometric mean over seeds with its 95 % interval; ``seeds`` is the number of seeds in
        which the two curves cross so (of several crossings in a seed, the one at the smallest error).
    """
    rows = []
    for problem in points.problems:
        curves = {name: points.curve(problem, name, error=error, cost=cost) for name in points.series(problem)}
        compared = set(points.compared(problem))
        classical = [name for name, c in curves.items() if not c.learned]
        pairs = [(a, b) for a in compared for b in classical if a != b and not (b in compared and a > b)]
        pairs += [p for p in combinations(classical, 2) if not set(p) & compared]
        for one, other in sorted(pairs):
            rows += [{"problem": problem, **row} for row in _of_pair(curves[one], curves[other])]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_pair(one: Curve, other: Curve) -> list[dict[str, Any]]:
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for seed in sorted(set(one.seed.tolist()) | set(other.seed.tolist())):
        a, b = of_seed({"a": one, "b": other}, seed).values()
        crossings = crossings_of(a, b)
        for below in found:
            first = next(((e, c) for e, c, cheaper in crossings if cheaper is below), None)
            found[below] += [] if first is None else [first]
    rows = []
    for below, crossings in found.items():
        if crossings:
            errors, costs = zip(*crossings, strict=True)
            mean, price = geometric_interval(errors), geometric_interval(costs)
            names = (other.series, one.series) if below else (one.series, other.series)
            rows.append({"cheaper_above": names[0], "cheaper_below": names[1], "error": mean.value, "low": mean.low,
                         "high": mean.high, "cost": price.value, "seeds": len(crossings)})  # fmt: skip
    return rows


def crossings_of(one: Curve, other: Curve) -> list[tuple[float, float, bool]]:
    """Crossings of two curves, from the smallest error on: error, cost, whether ``one`` is cheaper below.

    By log-log interpolation on the points that no cheaper point beats.
    """
    fronts = [(np.log(errors[::-1]), np.log(costs[::-1])) for costs, errors in (one.front, other.front)]
    if any(len(e) < 2 for e, _ in fronts):
        return []
    low, high = max(e[0] for e, _ in fronts), min(e[-1] for e, _ in fronts)
    knots = np.unique(np.concatenate([e[(e >= low) & (e <= high)] for e, _ in fronts]))
    costs = [np.interp(knots, e, c) for e, c in fronts]
    gap = costs[0] - costs[1]
    found = []
    for i in np.flatnonzero(gap[:-1] * gap[1:] < 0):
        part = gap[i] / (gap[i] - gap[i + 1])
        error = np.exp(knots[i] + part * (knots[i + 1] - knots[i]))
        price = np.exp(costs[0][i] + part * (costs[0][i + 1] - costs[0][i]))
        found.append((float(error), float(price), bool(gap[i] < 0)))
    return found
