"""A polynomial in place of an expensive force: the trivial learned rival of corrected steps.

The accelerations of a separable system ``q' = v, v' = f(q)`` are fitted by least squares on positions
along training trajectories, and SRKN11 integrates the polynomials.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from attns_core import OneStepSolver, Problem, black_box
from attns_core.backend import PreparedSolve
from attns_core.control import FixedStep, StepControl
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.types import Array
from attns_plugins.methods.srkn11 import SRKN11

_MOST_POSITIONS = 20000


@final
@dataclass(frozen=True, eq=False)
class FittedForce:
    """SRKN11 with polynomials of a total degree in place of the accelerations.

    Parameters
    ----------
    degree : int
    coefficients : array, shape (n_terms, d), optional
        Per acceleration, in the order of :func:`exponents`; None before training.
    """

    degree: int
    coefficients: Array | None = None

    def supports(self, problem: Problem, control: StepControl) -> str | None:
        from attns_core.splittings import why_not_split
        from attns_core.tracing import trace

        reason = why_not_split(SRKN11, problem.equation)
        if reason is not None:
            return reason
        if not trace(problem.equation).is_autonomous:
            return f"the force of {problem.equation.name} depends on time; only positions are fitted"
        where, _ = _halves(problem.equation)
        if len(where) > 3:
            return f"polynomials of degree {self.degree} in {len(where)} positions have too many terms"
        return None

    def train(self, problem: Problem, control: StepControl, *, seed: int) -> "FittedForce":
        """Fitted along the problem's trajectories, wherever they are at multiples of the step."""
        assert isinstance(control, FixedStep)
        return replace(self, coefficients=fit(problem.equation, _positions(problem, control), self.degree))

    def prepare(self, problem: Problem, control: StepControl) -> PreparedSolve:
        from attns_core.backends.numba_cpu import NumbaBackend

        if self.coefficients is None:
            raise AttnsError(f"the force of {problem.equation.name} was not fitted: train the solver first")
        equation = with_force(problem.equation, self.coefficients, self.degree)
        return OneStepSolver(method=SRKN11, backend=NumbaBackend()).prepare(
            replace(problem, equation=equation), control
        )


def _halves(equation: Equation) -> tuple[list[int], list[int]]:
    """Positions and velocities among the components."""
    # Formulas are imported where they are needed: every start would wait for them.
    from attns_core.tracing import trace

    halves = trace(equation).halves
    assert halves is not None
    return list(halves[0]), list(halves[1])


def _positions(problem: Problem, control: FixedStep) -> Array:
    """Positions (d, n) at the steps of the problem's trajectories, whatever the saving times."""
    from attns_core.backends.numba_cpu import NumbaBackend

    where, _ = _halves(problem.equation)
    steps = max(1, round((problem.t_end - problem.t0) / control.dt))
    times = problem.t0 + control.dt * np.arange(steps + 1)
    pilots = Problem(equation=problem.equation, u0=problem.u0, t_save=times)
    found = OneStepSolver(method=SRKN11, backend=NumbaBackend()).prepare(pilots, control)().u
    positions = found[:, where].transpose(1, 0, 2).reshape(len(where), -1)
    positions = positions[:, np.isfinite(positions).all(axis=0)]
    return positions[:, :: max(1, positions.shape[1] // _MOST_POSITIONS)]


def exponents(d: int, degree: int) -> list[tuple[int, ...]]:
    """Of the monomials in ``d`` positions up to a total degree."""
    return [powers for powers in itertools.product(range(degree + 1), repeat=d) if sum(powers) <= degree]


def fit(equation: Equation, positions: Array, degree: int) -> Array:
    """Coefficients (n_terms, d) of polynomials for the accelerations at ``positions`` (d, n), by least squares."""
    where, moved = _halves(equation)
    state = np.zeros((equation.dim, positions.shape[1]))
    state[where] = positions
    force = equation.evaluate(equation.t0, state)[moved]
    size = float(np.abs(positions).max()) or 1.0
    terms = exponents(len(where), degree)
    design = np.stack([np.prod((positions / size) ** np.array(e)[:, None], axis=0) for e in terms], axis=1)
    solved = np.linalg.lstsq(design, force.T, rcond=1e-13)[0]
    return solved / size ** np.sum(terms, axis=1)[:, None]


def with_force(equation: Equation, coefficients: Array, degree: int) -> Equation:
    """The equation with polynomials in place of its accelerations."""
    where, moved = _halves(equation)
    terms = exponents(len(where), degree)

    def rhs(t: Any, u: Any, p: Any, m: Any) -> Sequence[Any]:
        original = list(equation.rhs(t, u, p, m))
        q = [u[i] for i in where]
        for component, i in enumerate(moved):
            table = {e: float(row[component]) for e, row in zip(terms, coefficients, strict=True)}
            original[i] = _horner(table, q, len(q) - 1)
        return original

    # What the original had beyond its right-hand side is not the polynomials'.
    return replace(equation, name=f"{equation.name}-fitted", rhs=rhs, array_rhs=None, exact=None, latex=())


def _horner(table: dict[tuple[int, ...], float], q: Sequence[Any], axis: int) -> Any:
    """A polynomial, exponents -> coefficient, nested in ``q[axis]``; its coefficients nest in the axes before."""
    if axis < 0:
        return table[()]
    by_power: dict[int, dict[tuple[int, ...], float]] = {}
    for powers, value in table.items():
        by_power.setdefault(powers[-1], {})[powers[:-1]] = value
    total: Any = None
    for power in range(max(by_power), -1, -1):
        term = _horner(by_power[power], q, axis - 1)
        total = term if total is None else total * q[axis] + term
    return total


def _solver(degree: int) -> Any:
    make = black_box(
        name=f"srkn11-fitted-force-{degree}",
        control="fixed",
        title=f"Blanes-Moan SRKN11 on a force fitted by polynomials of degree {degree}",
        tags=("learned", "baseline", "symplectic"),
        citation=SRKN11.citation,
    )
    return make(FittedForce(degree))


FITTED_FORCES = tuple(_solver(degree) for degree in (5, 7, 9))
