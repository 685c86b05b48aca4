"""Observed order of convergence, with the range of steps it was fitted over and its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core import AttnsError
from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.work_precision import WorkPrecisionSet

_STRAIGHT = 0.03
"""Largest deviation from the fitted line, in decades, inside the asymptotic range."""
_FEWEST = 3


@final
@dataclass(frozen=True, slots=True)
class Order:
    """Slope of log error against log step.

    Parameters
    ----------
    order : float
    low, high : float
        95 % interval of the slope, from the residuals of the fit.
    dt_min, dt_max : float
        Range of steps of the fit.
    points : int
    straight : bool
        Whether the points lie on a line within 0.03 decades; if not there is no asymptotic range in
        the data and the slope says little.
    """

    order: float
    low: float
    high: float
    dt_min: float
    dt_max: float
    points: int
    straight: bool


def observed_order(dts: Sequence[float], errors: Sequence[float], *, floor: float = 0.0) -> Order:
    """Fit the order over the longest range of consecutive steps that is straight.

    Parameters
    ----------
    dts, errors : sequences of equal length
        Errors that are not finite and positive are left out.
    floor : float
        Errors below ten times this (the reference's uncertainty, round-off) are left out.

    Raises
    ------
    AttnsError
        If fewer than three points remain.
    """
    step, error = np.asarray(dts, dtype=float), np.asarray(errors, dtype=float)
    good = np.isfinite(error) & (error > max(10 * floor, 0.0)) & np.isfinite(step) & (step > 0)
    order = np.argsort(step[good])
    x, y = np.log10(step[good][order]), np.log10(error[good][order])
    if len(np.unique(x)) < _FEWEST:
        raise AttnsError(f"an order needs errors at {_FEWEST} steps above the reference's uncertainty, got {len(x)}")
    windows = [(i, j) for i in range(len(x)) for j in range(i + _FEWEST, len(x) + 1)]
    deviation = {w: _deviation(x[slice(*w)], y[slice(*w)]) for w in windows}
    straight = [w for w in windows if deviation[w] <= _STRAIGHT]
    # Longest first; among equally long ones the finest steps, where the theory holds.
    best = max(straight, key=lambda w: (w[1] - w[0], -w[0])) if straight else min(windows, key=lambda w: deviation[w])
    return _fit(x[slice(*best)], y[slice(*best)], bool(straight))


def _deviation(x: np.ndarray, y: np.ndarray) -> float:
    slope, offset = np.polyfit(x, y, 1)
    return float(np.max(np.abs(slope * x + offset - y)))


def _untyped(value: Any) -> Any:
    return value


def _fit(x: np.ndarray, y: np.ndarray, straight: bool) -> Order:
    from scipy import stats

    line = _untyped(stats.linregress(x, y))
    half = float(stats.t.ppf(0.975, len(x) - 2)) * float(line.stderr)
    slope = float(line.slope)
    return Order(slope, slope - half, slope + half, float(10 ** x[0]), float(10 ** x[-1]), len(x), straight)


def convergence(points: WorkPrecisionSet, *, error: str = "error_l2_scaled") -> Frame:
    """Observed order of every fixed-step series on every problem; those without enough points say so."""
    rows = []
    for problem in points.problems:
        for name in points.series(problem):
            curve = points.curve(problem, name, error=error, cost="steps")
            if points.table.loc[points.table["series"] == name, "adaptive"].any():
                continue
            mean = curve.means()
            row: dict[str, object] = {"problem": problem, "series": name}
            try:
                floor = float(curve.uncertainty.max()) if len(curve.uncertainty) else 0.0
                found = observed_order(mean["control"], mean["error"], floor=floor)
                row |= {name: getattr(found, name) for name in Order.__slots__} | {"remark": ""}
                if not found.straight:
                    row["remark"] = "no asymptotic range"
            except AttnsError:
                row |= {"points": len(mean), "remark": "too few points above the reference's uncertainty"}
            rows.append(row)
    return pd.DataFrame(rows, columns=["problem", "series", *Order.__slots__, "remark"])
