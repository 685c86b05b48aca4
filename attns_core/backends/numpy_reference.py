"""The reference backend: the definition of every step in a dozen lines of NumPy, slow and obvious."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.backend import AbstractBackend, PreparedSolve
from attns_core.control import Adaptive, StepControl
from attns_core.correction import correction, features, learned_weights, why_no_tableau
from attns_core.corrector_sequence import Correction, corrector_of_step
from attns_core.equation import evaluate_rhs
from attns_core.errors import AttnsError
from attns_core.exponential import ExponentialRungeKutta
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Rosenbrock, Splitting, ZeroIncrement
from attns_core.problem import Problem
from attns_core.solution import Solution
from attns_core.step_sequence import StepSequence, step_sequence
from attns_core.trained_corrector import TrainedCorrector
from attns_core.types import Array


@final
@dataclass(frozen=True)
class NumpyBackend(AbstractBackend):
    """Loops over steps in Python; every operation runs over all trajectories."""

    name: str = "numpy"

    def supports(
        self,
        problem: Problem,
        method: AbstractMethod,
        control: StepControl,
        corrector: Correction | None,
        dtype: str,
    ) -> str | None:
        misfit = why_no_tableau(method, corrector)
        if misfit is not None:
            return misfit
        if isinstance(method, Splitting):
            from attns_core.splittings import why_not_split

            reason = why_not_split(method, problem.equation)
            if reason is None and isinstance(control, Adaptive):
                reason = f"{method.name} has no error estimate"
            return reason
        if isinstance(method, ExponentialRungeKutta):
            from attns_core.backends.numpy_exponential import why_not_exponential

            if isinstance(control, Adaptive):
                return f"{method.name} has no error estimate"
            return why_not_exponential(method, problem.equation)
        if not isinstance(method, ExplicitRungeKutta | Rosenbrock | ZeroIncrement):
            return f"the numpy backend has no step for {type(method).__name__}"
        return None

    def prepare(
        self,
        problem: Problem,
        method: AbstractMethod,
        control: StepControl,
        corrector: Correction | None,
        dtype: str,
    ) -> PreparedSolve:
        if not isinstance(control, Adaptive):
            steps = step_sequence(problem, method, control)
            step = increment(problem, method, learned_tableau(corrector))
            return lambda: _prescribed(problem, method, steps, step, corrector, np.dtype(dtype))
        from attns_core.backends.numpy_adaptive import solve_adaptive

        return lambda: solve_adaptive(problem, method, control, np.dtype(dtype))


Increment = Callable[[Any, Array, float], tuple[Array, Array]]
"""``(t, u, dt)`` -> increment ``S`` (dim, n) and stages (stages, dim, n)."""


def increment(problem: Problem, method: AbstractMethod, learned: TrainedCorrector | None = None) -> Increment:
    """The increment of a method on a problem's equation, with a learned tableau if there is one."""
    if isinstance(method, Splitting):
        return _splitting_increment(problem, method)
    if isinstance(method, ExplicitRungeKutta):
        return _runge_kutta_increment(problem, method, learned)
    if isinstance(method, Rosenbrock):
        from attns_core.backends.numpy_rosenbrock import rosenbrock_increment

        return rosenbrock_increment(problem, method)
    if isinstance(method, ExponentialRungeKutta):
        from attns_core.backends.numpy_exponential import exponential_increment

        return exponential_increment(problem, method)
    if isinstance(method, ZeroIncrement):
        return lambda t, u, dt: (np.zeros_like(u), np.zeros((0, *u.shape), dtype=u.dtype))
    raise AttnsError(f"the numpy backend has no step for {type(method).__name__}")


def learned_tableau(corrector: Correction | None) -> TrainedCorrector | None:
    """The corrector, if it is a learned tableau."""
    return corrector if isinstance(corrector, TrainedCorrector) and corrector.tableau is not None else None


def _runge_kutta_increment(problem: Problem, method: ExplicitRungeKutta, learned: TrainedCorrector | None) -> Increment:
    equation, p, tableau = problem.equation, problem.equation.p, method.tableau
    needed = tableau.needed
    every_a, every_b = learned_weights(method, None if learned is None else learned.tableau)

    def step(t: Any, u: Array, dt: float) -> tuple[Array, Array]:
        phi = np.ones((1, 1)) if learned is None or not learned.is_attentive else features(learned, u)
        # Of each component and trajectory; nothing is added where a weight is 0 for all.
        a, b = (np.einsum("mn,m...d->...dn", phi, every) for every in (every_a, every_b))
        k = np.zeros((tableau.stages, *u.shape), dtype=u.dtype)
        for i in range(tableau.stages):
            if not needed[i]:
                continue
            inner = np.zeros_like(u)
            for j in range(i):
                if a[i, j].any():
                    inner = inner + a[i, j] * k[j]
            k[i] = evaluate_rhs(equation, t + tableau.c[i] * dt, u + dt * inner, p)
        total = np.zeros_like(u)
        for i in range(tableau.stages):
            if b[i].any():
                total = total + b[i] * k[i]
        return dt * total, k

    return step


def _splitting_increment(problem: Problem, method: Splitting) -> Increment:
    from attns_core.tracing import trace

    equation, p = problem.equation, problem.equation.p
    halves = trace(equation).halves
    if halves is None:
        raise AttnsError(f"{method.name} needs a separable system; {equation.name} is not")
    positions, velocities = (list(half) for half in halves)

    def step(t: Any, u: Array, dt: float) -> tuple[Array, Array]:
        new, time = u.copy(), t
        for i, b in enumerate(method.kick):
            if b != 0:
                new[velocities] += b * dt * evaluate_rhs(equation, time, new, p)[velocities]
            if i < len(method.drift) and method.drift[i] != 0:
                new[positions] += method.drift[i] * dt * evaluate_rhs(equation, time, new, p)[positions]
                time = time + method.drift[i] * dt
        return new - u, np.zeros((0, *u.shape), dtype=u.dtype)

    return step


def _prescribed(
    problem: Problem,
    method: AbstractMethod,
    steps: StepSequence,
    step: Increment,
    corrector: Correction | None,
    dtype: Any,
) -> Solution:
    u = u0 = problem.u0.astype(dtype)
    saved = np.empty((problem.t_save.size, *u.shape), dtype=dtype)
    saved[0] = u
    s = corrected = 0
    with np.errstate(all="ignore"):
        for i, count in enumerate(steps.counts):
            for _ in range(int(count)):
                t, dt = steps.starts[s], float(steps.lengths[s])
                S, k = step(t, u, dt)
                new = u + S
                own = corrector_of_step(corrector, s)
                if own is not None:
                    if own.has_term:
                        new = new + correction(own, u, S, k, dt, u0)
                    corrected += 1
                u = new.astype(dtype)
                s += 1
            saved[i + 1] = u
    return Solution(
        t=problem.t_save,
        u=saved,
        n_steps=steps.n_steps,
        nfe=steps.n_steps * _evaluations(method),
        n_corrector=corrected,
    )


def _evaluations(method: AbstractMethod) -> int:
    """Right-hand sides per fixed step."""
    match method:
        case ExplicitRungeKutta():
            return method.tableau.effective_stages
        case Splitting() | ExponentialRungeKutta():
            return method.stages
        case Rosenbrock():
            return method.evaluations
        case ZeroIncrement():
            return 0
    raise AttnsError(f"the numpy backend has no step for {type(method).__name__}")
