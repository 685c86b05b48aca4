"""Curves of error against cost, and the ladder of errors at which they are compared."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import numpy as np

from attns_harness.analysis.frames import Frame, pd


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """One series on one problem, ordered by cost; the usable points only.

    Parameters
    ----------
    error, cost, control, seed, uncertainty : array, shape (points,)
        ``control`` is what the curve is swept over: step or tolerance, or what :meth:`WorkPrecisionSet.over`
        names. ``uncertainty`` is the reference's in the norm of ``error``: it is measured component-scaled,
        and enters other norms with the ratio that the same row has between the two.
    adaptive : array of bool, shape (points,)
        Steps of one tolerance rather than of one length: on one curve where a run has both.
    failures : DataFrame
        The rows that are no point of the curve, with ``state`` and ``reason``.
    """

    problem: str
    series: str
    learned: bool
    error: Any
    cost: Any
    control: Any
    seed: Any
    uncertainty: Any
    adaptive: Any
    failures: Frame

    @property
    def below_reference(self) -> Any:
        """Points whose error does not exceed the reference's uncertainty: it may be anything below that."""
        return self.error <= self.uncertainty

    def means(self) -> Frame:
        """Geometric means over seeds: ``control``, ``error``, ``cost``, ``below_reference``, ``adaptive``, by cost."""
        controls, which = np.unique(self.control, return_inverse=True)
        count = np.bincount(which, minlength=len(controls))
        with np.errstate(divide="ignore"):
            logs = [np.bincount(which, np.log(v), minlength=len(controls)) / count for v in (self.error, self.cost)]
        below = np.bincount(which, self.below_reference, minlength=len(controls)) == count
        adaptive = np.bincount(which, self.adaptive, minlength=len(controls)) > 0
        mean = {"control": controls, "error": np.exp(logs[0]), "cost": np.exp(logs[1]), "below_reference": below}
        mean["adaptive"] = adaptive
        return pd.DataFrame(mean).sort_values("cost", ignore_index=True)

    def of_seed(self, seed: float | None) -> "Curve":
        """The points of one seed; all points for None."""
        if seed is None:
            return self
        if seed not in self._seeds:
            keep = self.seed == seed
            names = ("error", "cost", "control", "seed", "uncertainty", "adaptive")
            self._seeds[seed] = replace(self, **{name: getattr(self, name)[keep] for name in names})
        return self._seeds[seed]

    @cached_property
    def front(self) -> tuple[Any, Any]:
        """Costs, increasing, and errors, decreasing, of the points that no cheaper point beats.

        An error below the reference's uncertainty counts as the uncertainty.
        """
        believed = np.maximum(np.maximum(self.error, self.uncertainty), np.finfo(float).tiny)
        order = np.lexsort((believed, self.cost))
        cost, error = self.cost[order], believed[order]
        if not len(cost):
            return cost, error
        best = np.minimum.accumulate(error)
        better = np.concatenate([[True], best[1:] < best[:-1]])
        return cost[better], error[better]

    @cached_property
    def _seeds(self) -> dict[float, "Curve"]:
        return {}


def ladder(errors: Sequence[float]) -> list[float]:
    """Powers of ten inside the range of ``errors``, coarse to fine, at most eight of them."""
    positive = [e for e in errors if np.isfinite(e) and e > 0]
    if not positive:
        return []
    high, low = int(np.floor(np.log10(max(positive)))), int(np.ceil(np.log10(min(positive))))
    every = max(1, -(-(high - low + 1) // 8))
    return [10.0**k for k in range(high, low - 1, -every)]
