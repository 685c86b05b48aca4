"""Ranking over many problems: profiles first, single numbers only beside them.

Performance profiles: E. D. Dolan and J. J. More, "Benchmarking optimization software with performance
profiles", Mathematical Programming 91 (2002). A problem is one equation at one error level; what a
solver does not reach there costs infinity.
"""

from collections.abc import Sequence

import numpy as np

from attns_harness.analysis.crossing import cost_at
from attns_harness.analysis.curve import ladder
from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.intervals import geometric_interval
from attns_harness.analysis.work_precision import WorkPrecisionSet


def costs_at_errors(
    points: WorkPrecisionSet,
    *,
    error: str = "error_l2_scaled",
    cost: str = "time",
    levels: Sequence[float] | None = None,
) -> Frame:
    """Cost of every series (columns) at every problem and error level (rows); infinite where not reached.

    The geometric mean over seeds, infinite if one of them does not reach the level.
    """
    everything = sorted(points.table["series"].unique())
    rows, index = [], []
    for problem in points.problems:
        curves = {name: points.curve(problem, name, error=error, cost=cost) for name in points.series(problem)}
        errors = [float(e) for c in curves.values() for e in np.maximum(c.error, c.uncertainty)]
        floor = max((float(c.uncertainty.max()) for c in curves.values() if len(c.uncertainty)), default=0.0)
        for level in [e for e in ladder(errors) if e >= floor] if levels is None else levels:
            row = dict.fromkeys(everything, np.inf)
            for name, curve in curves.items():
                seeds = set(curve.seed.tolist()) | set(curve.failures["seed"].dropna().tolist())
                readings = [cost_at(curve.of_seed(s), level) for s in seeds]
                if readings and all(r.reached for r in readings):
                    row[name] = float(np.exp(np.mean([np.log(r.value) for r in readings])))
            rows.append(row)
            index.append((problem, level))
    names = pd.MultiIndex.from_tuples(index, names=["problem", "error"]) if index else None
    return pd.DataFrame(rows, columns=everything, index=names, dtype=float)


def performance_profile(costs: Frame, factors: Sequence[float] = (1, 1.5, 2, 3, 5, 10, 30, 100)) -> Frame:
    """Share of the problems that a series solves within a factor of the cheapest, one row per series.

    Problems that no series solves count against all.
    """
    best = costs.min(axis=1)
    ratio = costs.div(best.where(np.isfinite(best), 1.0), axis=0)
    shares = {f"{factor:g}": (ratio <= factor * (1 + 1e-12)).mean(axis=0) for factor in factors}
    return pd.DataFrame(shares).fillna(0.0).assign(solved=np.isfinite(costs).mean(axis=0))


def win_tie_loss(costs: Frame, baselines: Sequence[str], *, tie: float = 1.1) -> Frame:
    """Against the cheapest of ``baselines`` at every problem and level, one row per other series.

    Within the factor ``tie`` is a tie; reaching what no baseline reaches is a win; levels that neither
    reaches are not counted. ``ratio`` is the geometric mean of baseline cost over own cost where both
    are finite, with its 95 % interval over problems and levels, and ``compared`` their number.
    """
    rows = []
    rivals = [name for name in baselines if name in costs]
    bar = costs[rivals].min(axis=1) if rivals else costs.max(axis=1) * np.inf
    for name in [c for c in costs.columns if c not in rivals]:
        own = costs[name]
        either = np.isfinite(own) | np.isfinite(bar)
        both = np.isfinite(own) & np.isfinite(bar)
        ratios = (bar[both] / own[both]).to_numpy()
        row = {
            "series": name,
            "wins": int((own[either] * tie < bar[either]).sum()),
            "ties": int(((own[both] * tie >= bar[both]) & (own[both] <= bar[both] * tie)).sum()),
            "losses": int((own[either] > bar[either] * tie).sum()),
            "compared": int(both.sum()),
        }
        if len(ratios):
            mean = geometric_interval(ratios)
            row |= {"ratio": mean.value, "low": mean.low, "high": mean.high}
        rows.append(row)
    return pd.DataFrame(rows, columns=["series", "wins", "ties", "losses", "compared", "ratio", "low", "high"])
