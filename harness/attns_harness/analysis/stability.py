"""Linear stability of any one-step solver, measured by one step on ``u' = z u``.

Nothing is assumed about the solver: a black box, a tableau or a corrected step is asked for one step of
length 1 from ``u = 1`` (complex numbers as two real components); the answer is its amplification
``R(z)``. Black boxes must take fixed steps.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from attns_core import AbstractSolver, AttnsError, Citation, Equation, Problem
from attns_core.control import FixedStep
from attns_core.metric import Outcome
from attns_core.reference import Reference

_CITATION = Citation(
    key="dahlquist1963special",
    authors="G. Dahlquist",
    title="A special stability problem for linear multistep methods",
    where="BIT 3, 27-43",
    year=1963,
    doi="10.1007/BF01963532",
)
_TOLERANCE = 1e-9
"""|R| counts as at most 1 up to this: round-off must not end an interval."""
_UNBOUNDED = 1000.0


def dahlquist_equation(re: float = -1.0, im: float = 0.0) -> Equation:
    """``u' = (re + i im) u`` with components (real part, imaginary part)."""

    def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, Any]:
        x, y = u
        return p.re * x - p.im * y, p.im * x + p.re * y

    return Equation(
        name="dahlquist-test",
        title="Dahlquist's test equation",
        description="u' = z u for complex z, as two real components.",
        rhs=rhs,
        components=("x", "y"),
        sample=lambda p, rng, n: _phases(n),
        params={"re": float(re), "im": float(im)},
        t_end=1.0,
        dts=(1.0,),
        citation=_CITATION,
    )


def stability_region(solver: AbstractSolver, z: Any, *, phases: int = 1) -> Any:
    """Amplification of one step at every ``z``.

    Parameters
    ----------
    solver : AbstractSolver
        Takes one step of length 1 on a system of two components.
    z : array of complex, any shape
        ``dt * lambda``.
    phases : int
        Number of initial phases; the largest amplification over them is returned. One is enough for
        a linear step; a corrected step need not be linear.

    Returns
    -------
    array, shape of z
        ``|R(z)|``; infinite where the step is not finite.
    """
    values = np.asarray(z, dtype=complex)
    flat = [_amplification(solver, complex(v), phases) for v in values.ravel()]
    return np.array(flat, dtype=float).reshape(values.shape)


def real_interval(solver: AbstractSolver, **options: Any) -> float:
    """Length of the stable part of the negative real axis, from 0; infinite beyond 1000."""
    return interval_length(lambda r: _amplification(solver, complex(-r, 0.0), options.get("phases", 1)))


def imaginary_interval(solver: AbstractSolver, **options: Any) -> float:
    """Length of the stable part of the imaginary axis, from 0; infinite beyond 1000."""
    return interval_length(lambda r: _amplification(solver, complex(0.0, r), options.get("phases", 1)))


def largest_stable_step(
    problem: Problem, solver: AbstractSolver, reference: Reference, *, most_steps: int = 1 << 16
) -> float | None:
    """Largest fixed step with which no trajectory diverges, by bisection on the number of steps.

    Parameters
    ----------
    problem : Problem
        Its saved times must be equally spaced. Steps tried divide their distance or are multiples of
        it, for which only every such saved time is looked at.
    reference : Reference
        Of the same problem; decides what counts as diverged.
    most_steps : int
        Steps per saving interval at which to give up.

    Returns
    -------
    float or None
        None if even ``most_steps`` diverge; the span of the saved times if one step over it does not.
        Stability is taken to be monotonic in the step.
    """
    gap = float(np.diff(problem.t_save).min())

    def stable(steps: int, every: int = 1) -> bool:
        sparse = replace(problem, t_save=problem.t_save[::every])
        trusted = replace(reference, t=reference.t[::every], u=reference.u[::every], gap=reference.gap[::every])
        solution = solver.prepare(sparse, FixedStep(gap * every / steps))()
        return not Outcome(problem=sparse, solution=solution, reference=trusted).diverged.any()

    if stable(1):
        return gap * _largest(lambda every: stable(1, every), problem.t_save.size - 1)
    fewest = 2
    while not stable(fewest):
        fewest *= 2
        if fewest > most_steps:
            return None
    unstable = fewest // 2
    while fewest - unstable > 1:
        middle = (fewest + unstable) // 2
        fewest, unstable = (middle, unstable) if stable(middle) else (fewest, middle)
    return gap / fewest


def _largest(holds: Callable[[int], bool], most: int) -> int:
    """Largest number up to ``most`` for which a property holds that holds for 1 and all below it."""
    good, bad = 1, 2
    while bad <= most and holds(bad):
        good, bad = bad, 2 * bad
    bad = min(bad, most + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good


def _phases(n: int) -> Any:
    angle = np.linspace(0.0, 2 * np.pi, n, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)])


def _amplification(solver: AbstractSolver, z: complex, phases: int) -> float:
    equation = dahlquist_equation().with_params(re=z.real, im=z.imag)
    problem = Problem(equation=equation, u0=_phases(phases), t_save=np.array([0.0, 1.0]))
    reason = solver.supports(problem, FixedStep(1.0))
    if reason is not None:
        raise AttnsError(f"{solver.name} takes no single step on u' = z u: {reason}")
    end = solver.prepare(problem, FixedStep(1.0))().u[-1].astype(float)
    size = float(np.max(np.hypot(end[0], end[1])))
    return size if math.isfinite(size) else math.inf


def interval_length(amplification: Callable[[float], float]) -> float:
    """First ``r`` at which the amplification exceeds 1, to about 1e-6."""
    low, step = 0.0, 0.05
    while amplification(low + step) <= 1 + _TOLERANCE:
        low += step
        # Walk finely where intervals usually end, then faster: an interval of 1000 is A-stability in practice.
        step = 0.05 if low < 20 else low / 20
        if low > _UNBOUNDED:
            return math.inf
    high = low + step
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if amplification(middle) <= 1 + _TOLERANCE else (low, middle)
    # Below the resolution of the tolerance there is no interval (explicit Euler on the imaginary axis).
    return low if low > 1e-2 else 0.0
