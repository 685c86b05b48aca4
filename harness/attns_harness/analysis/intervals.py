"""Intervals: SciPy's, with one convention for few values and none at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, final

import numpy as np

LEVEL = 0.95
FEW = 10
"""Below this many values Student's t is used: a bootstrap of three values covers far too little."""


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % interval; without bounds when one value cannot have any.

    Parameters
    ----------
    value : float
    low, high : float or None
    n : int
        Number of values (seeds, repeats, trials) behind it.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    def contains(self, number: float) -> bool:
        """Whether ``number`` lies inside; False without bounds."""
        return self.low is not None and self.high is not None and self.low <= number <= self.high

    def text(self, digits: int = 3) -> str:
        """``1.23 [1.1, 1.4]``."""
        if self.low is None or self.high is None:
            return f"{self.value:.{digits}g}"
        return f"{self.value:.{digits}g} [{self.low:.{digits}g}, {self.high:.{digits}g}]"


@cache
def _student(freedom: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.5 + LEVEL / 2, freedom))


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean with its interval: Student's t for few values, BCa bootstrap else."""
    data = np.asarray(values, dtype=float)
    centre = float(data.mean())
    if data.size < 2:
        return Interval(centre, None, None, data.size)
    spread = float(data.std(ddof=1))
    if spread <= 1e-12 * max(abs(centre), 1e-300):
        return Interval(centre, centre, centre, data.size)
    if data.size < FEW:
        half = _student(data.size - 1) * spread / np.sqrt(data.size)
        return Interval(centre, centre - half, centre + half, data.size)
    from scipy import stats

    found = stats.bootstrap((data,), np.mean, confidence_level=LEVEL, rng=np.random.default_rng(0))
    return Interval(centre, *_bounds(found), data.size)


def geometric_interval(values: Sequence[float]) -> Interval:
    """Geometric mean of positive values with its interval."""
    found = mean_interval(np.log(np.asarray(values, dtype=float)).tolist())
    bounds = [None if b is None else float(np.exp(b)) for b in (found.low, found.high)]
    return Interval(float(np.exp(found.value)), bounds[0], bounds[1], found.n)


def ratio_interval(new: Sequence[float], old: Sequence[float], *, level: float = LEVEL) -> Interval:
    """Ratio of the medians of two samples, with the percentile bootstrap interval over both."""
    from scipy import stats

    a, b = np.asarray(new, dtype=float), np.asarray(old, dtype=float)
    value = float(np.median(a) / np.median(b))
    if min(a.size, b.size) < 2:
        return Interval(value, None, None, min(a.size, b.size))
    if np.ptp(a) == 0 and np.ptp(b) == 0:
        return Interval(value, value, value, min(a.size, b.size))
    found = stats.bootstrap(
        (a, b),
        lambda x, y, axis: np.median(x, axis=axis) / np.median(y, axis=axis),
        confidence_level=level,
        method="percentile",
        n_resamples=2000,
        rng=np.random.default_rng(0),
    )
    return Interval(value, *_bounds(found), min(a.size, b.size))


def wilson(count: float, n: int) -> Interval:
    """A proportion with Wilson's interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927).

    Parameters
    ----------
    count : float
        Number of successes; rounded to a whole number.
    """
    from scipy import stats

    whole = min(max(round(count), 0), n)
    if n == 0:
        return Interval(float("nan"), None, None, 0)
    found = stats.binomtest(whole, n).proportion_ci(LEVEL, method="wilson")
    return Interval(whole / n, float(found.low), float(found.high), n)


def _bounds(found: Any) -> tuple[float, float]:
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
