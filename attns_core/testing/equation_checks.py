"""What every equation is held to."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from attns_core.equation import Equation
from attns_core.testing.kit import CheckSkipped, Context, check, require
from attns_core.types import Array

_N = 4


def _states(equation: Equation) -> Array:
    return equation.initial_states(3, _N)


@check("equation")
def check_metadata(equation: Equation, context: Context) -> None:
    """Title, description and source are given; the steps divide the time span."""
    for name in ("title", "description"):
        require(getattr(equation, name).strip(), f"{name} is empty")
    require(equation.citation.title and equation.citation.authors, "the citation has no title or no authors")
    span = equation.t_end - equation.t0
    for dt in equation.dts:
        steps = round(span / dt)
        require(abs(steps * dt - span) <= 1e-9 * span, f"dt={dt:g} does not divide the time span {span:g}")
    require(len(set(equation.component_names)) == equation.dim, "two components have one name")


@check("equation")
def check_sampler(equation: Equation, context: Context) -> None:
    """Initial states are finite, depend on the seed alone, and differ between trajectories."""
    first = _states(equation)
    require(np.isfinite(first).all(), "initial states are not finite")
    require(np.array_equal(first, _states(equation)), "the same seed gives different initial states")


@check("equation")
def check_purity(equation: Equation, context: Context) -> None:
    """The right-hand side leaves its arguments alone and does not remember."""
    u = _states(equation)
    before = u.copy()
    first = equation.evaluate(equation.t0, u)
    require(np.array_equal(u, before), "the right-hand side changed the state it was given")
    equation.evaluate(equation.t0 + 1, 2 * u)
    require(np.array_equal(first, equation.evaluate(equation.t0, u)), "the right-hand side depends on earlier calls")
    require(np.isfinite(first).all(), "the right-hand side is not finite on sampled states")


@check("equation")
def check_batch(equation: Equation, context: Context) -> None:
    """Every trajectory is treated on its own."""
    u = _states(equation)
    whole = equation.evaluate(equation.t0, u)
    for i in range(_N):
        _close(equation.evaluate(equation.t0, u[:, i : i + 1]), whole[:, i : i + 1], "a batch of one")


@check("equation")
def check_forms(equation: Equation, context: Context) -> None:
    """The compiled, the torch and the array form are the same function as the plain one."""
    from attns_core.rhs_forms import rhs_form

    u, t = _states(equation), equation.t0 + 0.3
    expected = equation.evaluate(t, u)
    scalar = rhs_form(equation, "scalar")
    _close(np.stack([scalar(t, u[:, i].copy()) for i in range(_N)], axis=1), expected, "the compiled form")
    import torch

    tensor = rhs_form(equation, "torch")(torch.tensor(t, dtype=torch.float64), torch.tensor(u))
    _close(tensor.numpy(), expected, "the torch form")
    if equation.array_rhs is not None:
        _close(equation.evaluate_array(t, u), expected, "array_rhs")


@check("equation")
def check_jacobian(equation: Equation, context: Context) -> None:
    """The traced Jacobian is the derivative of the right-hand side."""
    from attns_core.rhs_forms import rhs_form

    if equation.dim > 20:
        raise CheckSkipped("more than 20 components: compiling it takes long")
    u, t = _states(equation)[:, 0].copy(), equation.t0 + 0.3
    jacobian = rhs_form(equation, "jacobian")(t, u)
    _close(jacobian, _slopes(lambda v: equation.evaluate(t, v), u), "the Jacobian", within=1e-5)


@check("equation")
def check_invariants(equation: Equation, context: Context) -> None:
    """Declared invariants do not change along the right-hand side."""
    if not equation.invariants:
        raise CheckSkipped("declares no invariants")
    u, t = _states(equation), equation.t0
    f = equation.evaluate(t, u)
    for name in equation.invariant_values(t, u):
        values = equation.invariant_values(t, u)[name]
        gradient = _slopes(lambda v, name=name: equation.invariant_values(t, v)[name], u)
        rate = np.abs((gradient * f).sum(axis=0))
        size = np.abs(gradient * f).sum(axis=0) + np.abs(values) + 1e-12
        require((rate <= 1e-5 * size).all(), f"invariant {name!r} changes at a rate of {rate.max():.1e}")


@check("equation")
def check_exact(equation: Equation, context: Context) -> None:
    """The closed-form solution starts at the initial state and satisfies the equation."""
    exact = equation.exact
    if exact is None:
        raise CheckSkipped("has no closed form")
    u0, p = _states(equation), equation.p
    _close(exact(0.0, u0, p), u0, "the closed form at the initial time")
    for elapsed in (0.1, 0.37):
        h = 1e-5
        slope = (exact(elapsed + h, u0, p) - exact(elapsed - h, u0, p)) / (2 * h)
        _close(slope, equation.evaluate(equation.t0 + elapsed, exact(elapsed, u0, p)), "its slope", within=1e-6)


@check("equation")
def check_pickling(equation: Equation, context: Context) -> None:
    """It survives pickling: workers need it."""
    again = pickle.loads(pickle.dumps(equation))
    require(again.identity() == equation.identity(), "its identity changes in pickling")
    u = _states(equation)
    require(np.array_equal(again.evaluate(0.0, u), equation.evaluate(0.0, u)), "it computes something else")


@check("equation")
def check_formula(equation: Equation, context: Context) -> None:
    """It can be traced, has a formula in LaTeX and a count of operations."""
    from attns_core.tracing import trace

    traced = trace(equation)
    require(traced.operations > 0, "its right-hand side has no operations")
    require(traced.latex().strip(), "it has no formula")


def _slopes(f: Callable[[Array], Array], u: Array) -> Array:
    """Central differences of ``f`` along every component: one row per component, or the Jacobian."""
    columns: list[Any] = []
    for j in range(u.shape[0]):
        h = np.zeros_like(u)
        h[j] = 1e-6 * np.maximum(1.0, np.abs(u[j]))
        columns.append((f(u + h) - f(u - h)) / (2 * h[j]))
    slopes = np.stack(columns)
    return slopes.T if u.ndim == 1 else slopes


def _close(value: Any, expected: Array, what: str, *, within: float = 1e-11) -> None:
    require(np.shape(value) == expected.shape, f"{what} has shape {np.shape(value)}, expected {expected.shape}")
    gap = np.abs(value - expected).max(initial=0.0) / max(1e-300, np.abs(expected).max(initial=0.0), 1.0)
    require(gap <= within, f"{what} differs by {gap:.1e} relative to the largest value")
