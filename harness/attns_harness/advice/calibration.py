"""A short calibration: what the equation costs the strongest classical methods on this machine."""

import time
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.control import FixedStep, StepControl
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.metric import Outcome
from attns_core.problem import Problem
from attns_core.reference import Reference, make_reference
from attns_core.registry import Registry
from attns_core.solver import OneStepSolver

SAVES = 4
ACCURACY_TRAJECTORIES = 32
TIMED_TRAJECTORIES = 2048
STRONG_ORDER = 5
"""Explicit methods from this order on take part; stiff ones from order 3 on."""
STIFF = 2e4
"""Largest eigenvalue times time span from which explicit methods are left out: they need thousands of steps."""
GROWTH = 1.4
"""Factor between step counts that are tried: the cheapest is found within half of it."""
MOST_STEPS = 200_000


@final
@dataclass(frozen=True, kw_only=True)
class Swept:
    """The coarsest tried step of a method that delivers the error."""

    method: str
    dt: float
    error: float
    nanoseconds: float
    evaluations: float


@final
@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was measured.

    Parameters
    ----------
    classical : Swept
        The fastest method that delivers the error.
    evaluation_ns : float
        Its time per evaluation of the right-hand side, linear algebra included.
    stiffness : float
        Largest modulus of an eigenvalue of the Jacobian over sampled reference states, times the span.
    swept : tuple of Swept
        Every method that delivers the error, the fastest first.
    left_out : tuple of str
        Methods that do not apply, did not reach the error, or were not tried within the budget.
    seconds : float
    """

    equation: str
    dim: int
    t_end: float
    error: float
    classical: Swept
    evaluation_ns: float
    stiffness: float
    autonomous: bool
    swept: tuple[Swept, ...]
    left_out: tuple[str, ...]
    seconds: float

    @property
    def stiff(self) -> bool:
        return self.stiffness > STIFF


def calibrate(
    equation: Equation,
    registry: Registry,
    *,
    error: float,
    t_end: float | None = None,
    budget_s: float = 60.0,
    backend: str = "numba",
) -> Calibration:
    """Find the fastest classical method at an error, and what an evaluation costs it.

    Parameters
    ----------
    error : float
        Component-scaled RMS over times, components and trajectories, as the tables have it.
    budget_s : float
        Once a method delivers the error, no further one is begun after so many seconds.

    Raises
    ------
    AttnsError
        If the error is not positive, the reference is not that good, or no method reaches it.
    """
    if not (np.isfinite(error) and error > 0):
        raise AttnsError(f"the error must be a positive number, got {error!r}")
    began = time.perf_counter()
    end = equation.t_end if t_end is None else t_end
    span = end - equation.t0
    problem = Problem.sample(equation, n=ACCURACY_TRAJECTORIES, seed=0, t_end=end, save_every=span / SAVES)
    reference = make_reference(problem)
    if not reference.uncertainty < error / 3:
        raise AttnsError(
            f"{equation.label}: two reference integrators differ by {reference.uncertainty:.1e} over t_end={end:g}, "
            f"which an error of {error:g} cannot be measured against; choose a larger --error or a shorter --t-end"
        )
    stiffness = _stiffness(equation, reference, span)
    timed = Problem.sample(equation, n=TIMED_TRAJECTORIES, seed=1, t_end=end, save_every=span / SAVES)
    swept: list[Swept] = []
    left_out: list[str] = []
    for name in _candidates(registry, stiffness):
        solver = OneStepSolver(method=registry.method(name), backend=registry.backend(backend))
        why = solver.supports(problem, FixedStep(span / SAVES))
        if why is not None:
            left_out.append(f"{name}: {why}")
        elif swept and time.perf_counter() - began > budget_s:
            left_out.append(f"{name}: not tried within {budget_s:g} s")
        else:
            best = min((s.nanoseconds for s in swept), default=np.inf)
            found = _coarsest(solver, problem, timed, reference, error, best)
            if isinstance(found, str):
                left_out.append(f"{name}: {found}")
            else:
                swept.append(found)
    if not swept:
        raise AttnsError(f"no method delivers {error:g} on {equation.label}: {'; '.join(left_out)}")
    swept.sort(key=lambda s: s.nanoseconds)
    from attns_core.tracing import trace

    return Calibration(
        equation=equation.label,
        dim=equation.dim,
        t_end=float(end),
        error=error,
        classical=swept[0],
        evaluation_ns=swept[0].nanoseconds / swept[0].evaluations,
        stiffness=stiffness,
        autonomous=trace(equation).is_autonomous,
        swept=tuple(swept),
        left_out=tuple(left_out),
        seconds=time.perf_counter() - began,
    )


def _candidates(registry: Registry, stiffness: float) -> list[str]:
    """Methods strong enough to be the bar, of the highest order first."""
    found = []
    for name in registry.names("method"):
        method = registry.method(name)
        if "composed" in method.tags:
            # The method that it is composed of is there itself.
            continue
        implicit = "stiff" in method.tags
        if method.order >= (3 if implicit else STRONG_ORDER) and (implicit == (stiffness > STIFF)):
            found.append((-method.order, name))
    return [name for _, name in sorted(found)]


def _coarsest(
    solver: OneStepSolver,
    problem: Problem,
    timed: Problem,
    reference: Reference,
    error: float,
    best_ns: float,
) -> Swept | str:
    """The coarsest step that delivers the error, or why there is none worth having."""
    gap = float(problem.t_save[1] - problem.t_save[0])
    count, pace = 1.0, None
    while count * SAVES <= MOST_STEPS:
        steps = round(count)
        control = FixedStep(gap / steps)
        solution = solver.prepare(problem, control)()
        if pace is None or count > 64:
            # Nanoseconds per step, to stop a method that has become dearer than one that delivers.
            pace = _nanoseconds(solver, timed, control) / (steps * SAVES)
        if pace * steps * SAVES > 3 * best_ns:
            return f"slower than {best_ns:.3g} ns per trajectory before it delivers the error"
        delivered = _error(Outcome(problem=problem, solution=solution, reference=reference))
        if delivered <= error:
            nanoseconds = _nanoseconds(solver, timed, control)
            evaluations = float(np.mean(solution.nfe))
            return Swept(
                method=solver.name,
                dt=control.dt,
                error=delivered,
                nanoseconds=nanoseconds,
                evaluations=evaluations,
            )
        count = max(count * GROWTH, count + 1)
    return f"does not deliver the error with {MOST_STEPS} steps"


def _error(outcome: Outcome) -> float:
    """Component-scaled RMS over all trajectories; infinite where one is lost."""
    if outcome.diverged.any():
        return float("inf")
    with np.errstate(all="ignore"):
        squared = np.mean((outcome.error / outcome.scale[:, None]) ** 2, axis=1)
    value = float(np.sqrt(np.mean(squared[outcome.valid]))) if outcome.valid.any() else float("inf")
    return value if np.isfinite(value) else float("inf")


def _nanoseconds(solver: OneStepSolver, problem: Problem, control: StepControl, repeats: int = 3) -> float:
    """Shortest of a few solves, per trajectory."""
    call: Any = solver.prepare(problem, control)
    call()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1e9 * min(times) / problem.n


def _stiffness(equation: Equation, reference: Reference, span: float) -> float:
    """Largest modulus of an eigenvalue over some reference states, times the span."""
    from attns_core.jacobian import Derivatives

    states = np.concatenate([reference.u[i, :, :4] for i in range(len(reference.t))], axis=1)
    times = np.repeat(reference.t, min(4, reference.u.shape[2]))
    try:
        jacobian = Derivatives(equation).jacobian(times, states)
        moduli: Any = np.abs(np.linalg.eigvals(jacobian))
    except (AttnsError, np.linalg.LinAlgError):
        return float("nan")
    return float(moduli.max()) * span
