"""How steps are chosen: a fixed ``dt``, a number per saving interval, adaptive to a tolerance, or frozen."""

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


@final
@dataclass(frozen=True, slots=True)
class StepsPerSave:
    """Every saving interval, however long, is divided into the same number of equal steps.

    With logarithmically spaced saving times the steps grow with time.

    Parameters
    ----------
    count : int
        Steps per saving interval.
    """

    count: int

    def __post_init__(self) -> None:
        if isinstance(self.count, bool) or not isinstance(self.count, int) or self.count < 1:
            raise AttnsError(f"the number of steps per saving interval must be at least 1, got {self.count!r}")

    def label(self) -> str:
        return f"steps/save={self.count}"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenSteps:
    """One step sequence for the whole ensemble: the accepted steps of an adaptive pilot run.

    Without an error estimate and with one matrix pattern, one time and one step length for all lanes of
    a block, a step costs a fraction of an adaptive one; the ensemble must be alike enough for the pilot's
    steps to suit every trajectory.

    Parameters
    ----------
    rtol, atol : float
        Tolerances of the pilot, which starts from the median of the initial states.
    refine : float
        The pilot's steps in every saving interval are replaced by ``refine`` times as many (rounded up),
        with the same relative density: 2 halves them, 0.5 joins pairs.
    """

    rtol: float
    atol: float
    refine: float = 1.0

    def __post_init__(self) -> None:
        for name in ("rtol", "atol", "refine"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise AttnsError(f"{name} must be a positive number, got {value!r}")

    def label(self) -> str:
        return f"frozen rtol={self.rtol:g}" + ("" if self.refine == 1 else f" refine={self.refine:g}")


StepControl: TypeAlias = FixedStep | StepsPerSave | Adaptive | FrozenSteps

Prescribed: TypeAlias = FixedStep | StepsPerSave | FrozenSteps
"""Controls under which the steps of a solve are known before it begins."""
