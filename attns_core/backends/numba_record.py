"""The record of an equation's right-hand side, from which its kernels are generated."""

from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.kernels.graph import Graph
from attns_core.kernels.recorded_source import has_long_sums
from attns_core.kernels.recorder import record


def recorded(equation: Equation) -> Graph:
    """The record of an equation's right-hand side.

    Raises
    ------
    AttnsError
        If it cannot be recorded.
    """
    p = equation.p
    try:
        return record(lambda t, u, flat, m: equation.rhs(t, u, p.replaced_by(flat), m), equation.dim, p.numeric().size)
    except Exception as error:
        raise AttnsError(
            f"equation {equation.name!r}: its right-hand side cannot be compiled ({type(error).__name__}: {error}); "
            "use + - * / **, comparisons and the functions of m only"
        ) from error


def with_long_sums(equation: Equation) -> Graph | None:
    """The record of a right-hand side with sums that become loops; None for all others."""
    try:
        graph = recorded(equation)
    except AttnsError:
        return None
    return graph if has_long_sums(graph) else None
