"""How steps are chosen: a fixed ``dt``, or adaptive to a tolerance."""

import math
from dataclasses import dataclass
from typing import TypeAlias, final

from attns_core.errors import AttnsError


@final
@dataclass(frozen=True, slots=True)
class FixedStep:
    """Every step has the same length ``dt`` (in units of the equation's time)."""

    dt: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.dt) and self.dt > 0):
            raise AttnsError(f"dt must be a positive number, got {self.dt!r}")

    def label(self) -> str:
        return f"dt={self.dt:g}"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptive:
    """Step lengths follow an error estimate, by PI control.

    Parameters
    ----------
    rtol, atol : float
        A step is accepted when the RMS over components of ``error / (atol + rtol * max(|u|, |u1|))``
        is at most 1 (Hairer, Norsett, Wanner, Solving Ordinary Differential Equations I, II.4).
    max_steps : int
        Attempted steps per trajectory before it is given up as diverged.
    """

    rtol: float
    atol: float
    max_steps: int = 1_000_000

    def __post_init__(self) -> None:
        for name in ("rtol", "atol"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise AttnsError(f"{name} must be a positive number, got {value!r}")

    def label(self) -> str:
        return f"rtol={self.rtol:g}"


StepControl: TypeAlias = FixedStep | Adaptive
