"""What every backend is held to: the reference backend's results, and every solver check."""

from typing import Any

import numpy as np

from attns_core.backend import AbstractBackend
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.citation import Citation
from attns_core.method import ExplicitRungeKutta
from attns_core.solver import OneStepSolver
from attns_core.tableau import ButcherTableau
from attns_core.testing import problems
from attns_core.testing.kit import CheckSkipped, Context, check, checks_of, require
from attns_core.trained_corrector import TrainedCorrector

_KUTTA3 = ExplicitRungeKutta(
    name="kit-kutta-3",
    title="Kutta's third-order method",
    order=3,
    tableau=ButcherTableau(a=[[], [1 / 2], [-1, 2]], b=[1 / 6, 2 / 3, 1 / 6], c=[0, 1 / 2, 1]),
    citation=Citation(key="kutta1901", authors="W. Kutta", title="Beitrag", where="Z. Math. Phys. 46", year=1901),
)


@check("backend")
def check_agrees_with_reference(backend: AbstractBackend, context: Context) -> None:
    """States equal the reference backend's to 1e-12, relative to the largest."""
    for problem in (problems.curved(), problems.oscillator()):
        mine, trusted = (_solution(b, problem) for b in (backend, NumpyBackend()))
        gap = float(np.abs(mine.u - trusted.u).max() / np.abs(trusted.u).max())
        require(gap <= 1e-12, f"differs by {gap:.1e} from the reference backend on {problem.equation.name}")
        require(np.array_equal(mine.nfe, trusted.nfe), f"counts {mine.nfe[0]} right-hand sides, not {trusted.nfe[0]}")


@check("backend")
def check_corrector(backend: AbstractBackend, context: Context) -> None:
    """A corrected step equals the reference backend's."""
    rng, problem = np.random.default_rng(5), problems.curved()
    corrector = TrainedCorrector(
        input="S", mean=np.zeros(2), scale=np.ones(2), offset=1e-3 * rng.standard_normal((3, 2))
    )
    reason = backend.supports(problem, _KUTTA3, _fixed(), corrector, "float64")
    if reason is not None:
        raise CheckSkipped(reason)
    mine, trusted = (_solution(b, problem, corrector) for b in (backend, NumpyBackend()))
    gap = float(np.abs(mine.u - trusted.u).max() / np.abs(trusted.u).max())
    require(gap <= 1e-11, f"a corrected step differs by {gap:.1e} from the reference backend's")


@check("backend")
def check_as_solver(backend: AbstractBackend, context: Context) -> None:
    """A method on it passes the solver checks."""
    solver = OneStepSolver(method=_KUTTA3, backend=backend)
    for item in checks_of("solver"):
        if item.name != "trained-round-trip":
            item.run(solver, context)


def _fixed() -> Any:
    from attns_core.control import FixedStep

    return FixedStep(0.125)


def _solution(backend: AbstractBackend, problem: Any, corrector: TrainedCorrector | None = None) -> Any:
    solver = OneStepSolver(method=_KUTTA3, backend=backend, corrector=corrector)
    reason = solver.supports(problem, _fixed())
    if reason is not None:
        raise CheckSkipped(reason)
    return solver.prepare(problem, _fixed())()
