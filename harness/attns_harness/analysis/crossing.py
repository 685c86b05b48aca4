"""Reading a curve: its cost at an error, its error at a cost, by log-log interpolation."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from attns_harness.analysis.curve import Curve


@final
@dataclass(frozen=True, slots=True)
class Reading:
    """A value read off a curve.

    Parameters
    ----------
    value : float
        NaN where not reached.
    status : {"ok", "at most", "not reached"}
        ``at most``: the curve's first point is already there, the true value may be smaller.
    """

    value: float
    status: Literal["ok", "at most", "not reached"]

    @property
    def reached(self) -> bool:
        return self.status != "not reached"


NOT_REACHED = Reading(float("nan"), "not reached")


def cost_at(curve: Curve, error: float) -> Reading:
    """Cost at which the curve reaches ``error``."""
    cost, errors = curve.front
    if not len(cost) or error < errors[-1] * (1 - 1e-12):
        return NOT_REACHED
    if error >= errors[0]:
        return Reading(float(cost[0]), "at most" if error > errors[0] * (1 + 1e-12) else "ok")
    value = np.exp(np.interp(-np.log(error), -np.log(errors), np.log(cost)))
    return Reading(float(value), "ok")


def error_at(curve: Curve, cost: float) -> Reading:
    """Error that the curve reaches at ``cost``; ``at most`` beyond its most expensive point."""
    costs, errors = curve.front
    if not len(costs) or cost < costs[0] * (1 - 1e-12):
        return NOT_REACHED
    if cost >= costs[-1]:
        return Reading(float(errors[-1]), "at most" if cost > costs[-1] * (1 + 1e-12) else "ok")
    return Reading(float(np.exp(np.interp(np.log(cost), np.log(costs), np.log(errors)))), "ok")


def fastest(curves: dict[str, Curve], error: float) -> tuple[str, Reading]:
    """The curve that reaches ``error`` at the least cost, and that cost; an empty name if none does."""
    found = [(cost_at(curve, error), name) for name, curve in sorted(curves.items())]
    reached = [(reading, name) for reading, name in found if reading.reached]
    if not reached:
        return "", NOT_REACHED
    reading, name = min(reached, key=lambda pair: pair[0].value)
    return name, reading


def most_accurate(curves: dict[str, Curve], cost: float) -> tuple[str, Reading]:
    """The curve with the smallest error at ``cost``; an empty name if none is so cheap."""
    found = [(error_at(curve, cost), name) for name, curve in sorted(curves.items())]
    reached = [(reading, name) for reading, name in found if reading.reached]
    if not reached:
        return "", NOT_REACHED
    reading, name = min(reached, key=lambda pair: pair[0].value)
    return name, reading
