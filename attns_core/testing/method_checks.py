"""What every method is held to: its coefficients, and every solver check on the reference backend."""

import pickle

from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.method import AbstractMethod, ExplicitRungeKutta
from attns_core.order_conditions import first_violated
from attns_core.solver import OneStepSolver
from attns_core.testing.kit import Context, check, checks_of, require

_COVERED = ("refusals", "dtype", "pickling", "trained-round-trip")


@check("method")
def check_metadata(method: AbstractMethod, context: Context) -> None:
    """Title and source are given; the identity is stable."""
    require(method.title.strip(), "title is empty")
    require(method.citation.title and method.citation.authors, "the citation has no title or no authors")
    require(method.identity() == pickle.loads(pickle.dumps(method)).identity(), "its identity changes in pickling")


@check("method")
def check_order_conditions(method: AbstractMethod, context: Context) -> None:
    """The coefficients satisfy every order condition up to the declared order."""
    if not isinstance(method, ExplicitRungeKutta):
        return  # the observed order below is what can be said of other schemes
    for part, weights, order in method.claims():
        violated = first_violated(method.tableau.a, weights, order, 1e-12)
        require(violated is None, f"its {part} is declared of order {order}, but the condition {violated} is violated")


def _solver(method: AbstractMethod) -> OneStepSolver:
    return OneStepSolver(method=method, backend=NumpyBackend())


@check("method")
def check_as_solver(method: AbstractMethod, context: Context) -> None:
    """It passes the solver checks on the reference backend, among them the observed order."""
    solver = _solver(method)
    for item in checks_of("solver"):
        if item.name not in _COVERED:
            item.run(solver, context)
