"""Reference solutions: trusted states with their own measured uncertainty and valid time."""

from dataclasses import dataclass
from typing import Any, final

from attns_core.types import Array


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """The trusted solution of a problem.

    Parameters
    ----------
    t : array, shape (n_save,)
    u : array, shape (n_save, dim, n)
    gap : array, shape (n_save, n)
        Largest component of the difference of two independent integrators, relative to the scale of
        that component: the uncertainty at every saved time.
    valid_time : array, shape (n,)
        Last saved time up to which the gap stays below the bound for believing it; ``t[-1]`` where it
        always does. Metrics of a chaotic problem must not look beyond it.
    integrators : tuple of str
        What the two solutions came from, with tolerances.
    seconds : float
        Cost of making it.
    """

    t: Array
    u: Array
    gap: Array
    valid_time: Array
    integrators: tuple[str, str]
    seconds: float

    @property
    def uncertainty(self) -> float:
        """Largest gap within the valid time: no smaller error is believed."""
        inside = self.t[:, None] <= self.valid_time[None, :]
        value: Any = self.gap[inside].max()
        return float(value)
