"""A problem: one equation with fixed parameters, a batch of initial states and times to save at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.control import FixedStep
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.types import Array


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """One initial value problem for a batch of trajectories.

    Parameters
    ----------
    equation : Equation
    u0 : array, shape (dim, n)
        Initial states, float64 (solvers convert to their dtype). NaN is allowed: it yields NaN.
    t_save : array, shape (n_save,)
        Strictly increasing times; the first is the initial time and is part of every solution.

    Raises
    ------
    AttnsError
        Wrong dimension, or times that are not finite and strictly increasing.
    """

    equation: Equation
    u0: Array
    t_save: Array

    def __post_init__(self) -> None:
        u0 = np.array(self.u0, dtype=np.float64, order="C")
        t_save = np.array(self.t_save, dtype=np.float64)
        if u0.ndim == 1:
            u0 = u0[:, None]
        if u0.ndim != 2 or u0.shape[0] != self.equation.dim:
            raise AttnsError(
                f"equation {self.equation.name!r} has {self.equation.dim} components "
                f"{self.equation.component_names}, initial states have shape {u0.shape}; expected (dim, n)"
            )
        if u0.shape[1] == 0:
            raise AttnsError("a problem needs at least one trajectory, got a batch of 0")
        if t_save.ndim != 1 or t_save.size == 0 or not np.all(np.isfinite(t_save)):
            raise AttnsError(f"t_save must be a list of finite times, got {self.t_save!r}")
        if np.any(np.diff(t_save) <= 0):
            raise AttnsError("t_save must be strictly increasing")
        u0.setflags(write=False)
        t_save.setflags(write=False)
        object.__setattr__(self, "u0", u0)
        object.__setattr__(self, "t_save", t_save)

    @classmethod
    def sample(
        cls,
        equation: Equation,
        *,
        n: int = 1,
        seed: int = 0,
        t_end: float | None = None,
        save_every: float | None = None,
    ) -> "Problem":
        """Draw ``n`` initial states and save on a uniform grid.

        Parameters
        ----------
        t_end : float, optional
            End of the time span (default: the equation's).
        save_every : float, optional
            Distance of saved times (default: the equation's coarsest step); must divide the span.

        Raises
        ------
        AttnsError
            If ``t_end`` is not after the initial time or ``save_every`` does not divide the span.
        """
        end = equation.t_end if t_end is None else t_end
        every = equation.dts[0] if save_every is None else save_every
        if not (np.isfinite(end) and end > equation.t0):
            raise AttnsError(f"t_end must be after t0={equation.t0:g}, got {end!r}")
        if not (np.isfinite(every) and every > 0):
            raise AttnsError(f"save_every must be a positive number, got {every!r}")
        count = round((end - equation.t0) / every)
        if count < 1 or abs(equation.t0 + count * every - end) > 1e-9 * max(1.0, abs(end)):
            raise AttnsError(
                f"save_every={every:g} does not divide the time span [{equation.t0:g}, {end:g}]; "
                f"nearest that does: {(end - equation.t0) / max(count, 1):g}"
            )
        t_save = equation.t0 + every * np.arange(count + 1)
        return cls(equation=equation, u0=equation.initial_states(seed, n), t_save=t_save)

    @classmethod
    def sample_log(
        cls,
        equation: Equation,
        *,
        points: int,
        n: int = 1,
        seed: int | Sequence[int] = 0,
        times: tuple[float, float] | None = None,
    ) -> "Problem":
        """Draw ``n`` initial states and save at ``points`` logarithmically spaced times.

        They run from the first to the last of ``times`` (default: the equation's ``log_times``), counted
        from the initial time, which comes before them.

        Raises
        ------
        AttnsError
            If there are no times, they do not increase from above 0, or ``points`` is less than 2.
        """
        span = equation.log_times if times is None else times
        if span is None:
            raise AttnsError(f"equation {equation.name!r} declares no log_times; give times, or use Problem.sample")
        if points < 2:
            raise AttnsError(f"points must be at least 2, got {points}")
        first, last = span
        if not 0 < first < last < np.inf:
            raise AttnsError(f"logarithmic times must increase from above 0, got {span!r}")
        t_save = np.concatenate([[equation.t0], equation.t0 + np.geomspace(first, last, points)])
        return cls(equation=equation, u0=equation.initial_states(seed, n), t_save=t_save)

    @property
    def n(self) -> int:
        """Number of trajectories."""
        return self.u0.shape[1]

    @property
    def t0(self) -> float:
        return float(self.t_save[0])

    @property
    def t_end(self) -> float:
        return float(self.t_save[-1])

    def rhs(self, form: str = "numpy") -> Any:
        """The right-hand side in the form a solver asks for; see :mod:`attns_core.rhs_forms`.

        Parameters
        ----------
        form : {"numpy", "scalar", "jacobian", "numba", "cfunc", "torch", "jax", "heyoka", "sympy"}
        """
        from attns_core.rhs_forms import rhs_form

        return rhs_form(self.equation, form)

    def steps_per_save(self, control: FixedStep) -> Array:
        """Number of fixed steps in each saving interval, shape ``(n_save - 1,)``, int64.

        Raises
        ------
        AttnsError
            If ``dt`` does not divide every interval; the message names the nearest step that does.
        """
        gaps = np.diff(self.t_save)
        counts = np.rint(gaps / control.dt).astype(np.int64)
        bad = (counts < 1) | (np.abs(counts * control.dt - gaps) > 1e-9 * np.maximum(gaps, 1e-300) + 1e-12)
        if np.any(bad):
            gap = float(gaps[np.argmax(bad)])
            nearest = gap / max(1, round(gap / control.dt))
            raise AttnsError(
                f"dt={control.dt:g} does not divide the saving interval {gap:g}; nearest that does: {nearest:g}"
            )
        counts_: Any = counts
        return counts_
