"""Floating-point operations of a solve: a cost that includes what correctors compute, without a clock.

The count is that of the formulas, not of the machine: right-hand sides as traced, two operations for
each coefficient that a method applies to a component, the corrector where it was evaluated. The unit is
an addition; a division weighs 8, a sine 20 (:data:`attns_core.maths.COST`). Memory traffic, saving of
states and the start of adaptive steps are left out, so it orders solvers and does not predict seconds.
In other coordinates the right-hand side contains the change of them, and saved states are brought back.
"""

from typing import Any

import numpy as np
import sympy as sp

from attns_core.control import Adaptive, FixedStep, StepControl
from attns_core.coordinates import ChangeOfCoordinates
from attns_core.correction import learned_weights
from attns_core.corrector_sequence import Correction
from attns_core.errors import AttnsError
from attns_core.exponential import ExponentialRungeKutta
from attns_core.maths import DIVISION, sympy_maths
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Rosenbrock, Splitting, ZeroIncrement
from attns_core.problem import Problem
from attns_core.program import share
from attns_core.solution import Solution
from attns_core.tracing import Trace, trace
from attns_core.types import Array

CONTROL = 100
"""Choosing the next step from an error: two powers, a root and the limits, per attempt."""
SCALE = 14
"""The scaled square of one component of an error estimate: sizes, tolerance, division, sum."""


def operations(
    problem: Problem,
    method: AbstractMethod,
    control: StepControl,
    corrector: Correction | None,
    solution: Solution,
    *,
    change: ChangeOfCoordinates | None = None,
) -> Any:
    """Operations per trajectory, shape ``(n,)``, from a solution's counters; None where they are not known.

    Not known means: the right-hand side cannot be traced, or the method is of a kind that this module
    has no count for. A corrector with closed gate is never evaluated and costs nothing.

    Parameters
    ----------
    change : ChangeOfCoordinates, optional
        What the method stepped in, if other than the problem's own components.
    """
    if change is not None:
        inside = operations(change.problem(problem), method, control, corrector, solution)
        # As in SolverInCoordinates: every saved state is brought back, initial ones are converted beforehand.
        return None if inside is None else inside + problem.t_save.size * conversion(change)
    try:
        traced = trace(problem.equation)
    except AttnsError:
        return None
    fixed = not isinstance(control, Adaptive)
    attempts = solution.n_steps + solution.n_rejected
    match method:
        case ExplicitRungeKutta():
            step = _runge_kutta(method, problem.equation.dim, fixed)
            if corrector is not None and corrector.active and corrector.tableau is not None:
                step = _learned(method, corrector.tableau)
            total = solution.nfe * traced.operations + attempts * step
        case Rosenbrock():
            total = solution.nfe * traced.operations + attempts * _rosenbrock(method, traced, fixed)
        case Splitting():
            total = solution.n_steps * _splitting(method, traced)
        case ExponentialRungeKutta() if isinstance(control, FixedStep):
            step = _exponential(method, problem, control.dt)
            total = solution.nfe * traced.operations + solution.n_steps * step
        case ZeroIncrement():
            total = 0 * solution.n_steps
        case _:
            return None
    if corrector is not None:
        added = problem.equation.dim if corrector.has_term else 0
        total = total + solution.n_corrector * (corrector.operations + added)
    return total.astype(np.float64)


def conversion(change: ChangeOfCoordinates) -> int:
    """Operations of bringing one state back from its coordinates."""
    m = sympy_maths()
    back = [c.back(sp.Symbol(f"v{i}", real=True), m) for i, c in enumerate(change.coordinates.values())]
    return share((), back).operations


def _nonzero(*arrays: Any) -> int:
    return sum(int(np.count_nonzero(a)) for a in arrays)


def _runge_kutta(method: ExplicitRungeKutta, dim: int, fixed: bool) -> int:
    """Arithmetic of one step besides its right-hand sides."""
    t = method.tableau
    if fixed:
        return 2 * dim * _nonzero(t.a[t.needed], t.b)
    # The last stage of an FSAL pair is evaluated at the new state, which b has formed already.
    inner = t.a[:-1] if t.is_fsal else t.a
    estimates = [w for w in (t.b_error, method.b_error_low) if w is not None]
    return 2 * dim * _nonzero(inner, t.b, *estimates) + SCALE * dim * len(estimates) + CONTROL


def _learned(method: ExplicitRungeKutta, tableau: Array) -> int:
    """Arithmetic of one step with a learned tableau besides its right-hand sides: sums of stages, attentive weights."""
    from attns_core.kernels.stage_arrays import of_blocks

    a, b = learned_weights(method, tableau)
    a = a[:, method.tableau.needed]
    weighed = _nonzero((a != 0).any(axis=0), (b != 0).any(axis=0))
    queried = _nonzero(*of_blocks(a[1:], b[1:])) if len(tableau) > 1 else 0
    return 2 * (weighed + queried)


def _rosenbrock(method: Rosenbrock, traced: Trace, fixed: bool) -> int:
    """Jacobian, sparse elimination, one pair of triangular solves per stage, combinations of stages."""
    dim = len(traced.u)
    jacobian = traced.jacobian_program.operations
    slope = 0 if traced.is_autonomous else share((), traced.time_derivative).operations + 2 * dim * method.stages
    factorise, solve = _elimination(traced.sparsity)
    combined = _nonzero(method.a, method.c, method.m)
    estimate = 0 if fixed else 2 * dim * _nonzero(method.e) + SCALE * dim + CONTROL
    return jacobian + slope + factorise + method.stages * solve + 2 * dim * combined + estimate


def _elimination(sparsity: Any) -> tuple[int, int]:
    """Operations of Gaussian elimination in the given order with fill-in, and of one solve with its factors."""
    filled = np.array(sparsity, dtype=bool) | np.eye(len(sparsity), dtype=bool)
    count = len(filled)  # subtracting the Jacobian from the diagonal
    for k in range(len(filled)):
        below = np.flatnonzero(filled[k + 1 :, k]) + k + 1
        right = np.flatnonzero(filled[k, k + 1 :]) + k + 1
        count += DIVISION + len(below) * (1 + 2 * len(right))
        filled[np.ix_(below, right)] = True
    return count, 2 * _nonzero(filled) - len(filled)


def _splitting(method: Splitting, traced: Trace) -> int:
    """One step: every kick evaluates the velocities' derivatives, every drift the positions'."""
    halves = traced.halves
    assert halves is not None, "backends refuse systems that do not separate"
    drift, kick = (
        share(traced.definitions, [traced.outputs[i] for i in half]).operations + 2 * len(half) for half in halves
    )
    return _nonzero(method.drift) * drift + _nonzero(method.kick) * kick


def _exponential(method: ExponentialRungeKutta, problem: Problem, dt: float) -> int:
    """Products with the entries of the matrix functions that are not zero, and with the linear part."""
    from attns_core.backends.numpy_exponential import coefficient_matrices, linear_part

    linear = linear_part(problem.equation)
    inner, outer = coefficient_matrices(linear, method, dt)
    shifted = _nonzero((method.tables[0] != 0).any(axis=(1, 2)))
    return 2 * (_nonzero(inner, outer) + shifted * _nonzero(linear)) + 2 * problem.equation.dim * method.stages
