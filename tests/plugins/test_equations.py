"""Every registered equation: its forms agree, its invariants hold, its closed form and sampler are right."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from attns_core import Equation, build_registry
from attns_core.maths import numpy_maths, torch_maths
from attns_core.program import Program
from attns_core.tracing import Trace, trace

REGISTRY = build_registry(only=["equations"])
EQUATIONS = REGISTRY.all("equation")
NAMES = REGISTRY.names("equation")


def states(equation: Equation, seed: int, n: int = 3) -> Any:
    """Sampled states moved off whatever special position (rest, origin) the sampler has."""
    u = equation.initial_states(seed, n)
    scale = np.abs(u).max(axis=1, keepdims=True)
    return u + 0.05 * np.where(scale > 0, scale, 0.1) * np.random.default_rng(seed).normal(size=u.shape)


# Jacobians of families are checked on small members: their columns are all alike.
SMALL: dict[str, dict[str, int]] = {
    **{name: {"n": 8} for name in ("spring-chain", "lorenz-96", "burgers", "kuramoto-sivashinsky", "fput-chain")},
    "k-link-pendulum": {"K": 3},
    "stick-slip": {"masses": 2},
    "fourier-potential": {"n_modes": 8},
}


@cache
def compiled(equation: Equation, what: str) -> Any:
    """A traced program as a NumPy function of ``t``, components and parameters."""
    traced = trace(equation)
    return numpy_function(traced, getattr(traced, what))


def numpy_function(traced: Trace, program: Program) -> Any:
    shared = (list(program.assignments), list(program.outputs))
    return sp.lambdify([traced.t, *traced.u, *traced.p], list(program.outputs), cse=lambda _: shared)


def call(equation: Equation, what: str, t: float, u: Any) -> Any:
    values = compiled(equation, what)(t, *u, *equation.p.numeric())
    return np.array([np.broadcast_to(v, u.shape[1:]) for v in values])


def solve(equation: Equation, u0: Any, t_end: float) -> Any:
    """A tight solution of one trajectory, shape (dim, n_t)."""
    p, m = equation.p, numpy_maths()

    def f(t: float, y: Any) -> Any:
        return np.array(equation.rhs(t, y, p, m), dtype=float)

    method, rtol = ("Radau", 1e-9) if "stiff" in equation.tags else ("DOP853", 1e-11)
    found = solve_ivp(f, (equation.t0, t_end), u0, method=method, rtol=rtol, atol=1e-3 * rtol)
    assert found.success
    return found


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), t=st.floats(0.0, 10.0))
def test_traced_right_hand_side_equals_python(name: str, seed: int, t: float) -> None:
    equation = REGISTRY.equation(name)
    u = states(equation, seed)
    expected = equation.evaluate(t, u)
    np.testing.assert_allclose(
        call(equation, "program", t, u), expected, rtol=1e-11, atol=1e-11 * np.abs(expected).max()
    )


@pytest.mark.parametrize("name", NAMES)
def test_jacobian_equals_finite_differences(name: str) -> None:
    equation = REGISTRY.equation(name, **SMALL.get(name, {}))
    u = states(equation, 1, 2)
    dim, t = equation.dim, 0.3
    jacobian = call(equation, "jacobian_program", t, u).reshape(dim, dim, -1)
    for j in range(dim):
        step = np.zeros_like(u)
        step[j] = 2e-6 * (1e-2 + np.abs(u[j]))
        slope = (equation.evaluate(t, u + step) - equation.evaluate(t, u - step)) / (2 * step[j])
        np.testing.assert_allclose(jacobian[:, j], slope, rtol=1e-5, atol=1e-6 * np.abs(jacobian).max())


@pytest.mark.parametrize("name", NAMES)
def test_torch_gives_the_same_values(name: str) -> None:
    import torch

    equation = REGISTRY.equation(name)
    u, t = states(equation, 2), 0.7
    values = equation.rhs(torch.tensor(t, dtype=torch.float64), torch.from_numpy(u), equation.p, torch_maths())
    expected = equation.evaluate(t, u)
    result = np.array([np.broadcast_to(np.asarray(v), u.shape[1:]) for v in values])
    np.testing.assert_allclose(result, expected, rtol=1e-11, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("name", [e.name for e in EQUATIONS if e.array_rhs is not None])
def test_array_form_equals_component_form(name: str) -> None:
    import torch

    equation = REGISTRY.equation(name)
    u, t = states(equation, 3), 0.7
    expected = equation.evaluate(t, u)
    close = {"rtol": 1e-11, "atol": 1e-12 * np.abs(expected).max()}
    np.testing.assert_allclose(equation.evaluate_array(t, u), expected, **close)
    p = equation.p.with_arrays(lambda v: torch.tensor(v, dtype=torch.float64))
    result = equation.array_rhs(torch.tensor(t, dtype=torch.float64), torch.from_numpy(u), p, torch)
    np.testing.assert_allclose(result.numpy(), expected, **close)


@pytest.mark.parametrize("name", [e.name for e in EQUATIONS if e.invariants])
def test_invariants_are_conserved(name: str) -> None:
    equation = REGISTRY.equation(name)
    u0 = equation.initial_states(4, 1)[:, 0]
    found = solve(equation, u0, equation.t_end)
    start = equation.invariant_values(0.0, states(equation, 4, 50))
    for key, values in equation.invariant_values(found.t, found.y).items():
        # Against the spread over states, since the value itself may be zero by choice of the origin.
        scale = np.ptp(start[key]) + np.abs(values[0])
        assert np.ptp(values) <= 1e-7 * scale, key
        assert np.ptp(start[key]) > 1e3 * np.ptp(values), f"{key} does not depend on the state"


@pytest.mark.parametrize("name", [e.name for e in EQUATIONS if e.exact is not None])
def test_closed_form_is_the_solution(name: str) -> None:
    equation = REGISTRY.equation(name)
    u0 = equation.initial_states(5, 4)
    exact = equation.exact(equation.t_end - equation.t0, u0, equation.p)
    assert exact.shape == u0.shape
    for i in range(2):
        y = solve(equation, u0[:, i], equation.t_end).y[:, -1]
        np.testing.assert_allclose(exact[:, i], y, atol=1e-8 * (1 + np.abs(y).max()))
    np.testing.assert_allclose(equation.exact(0.0, u0, equation.p), u0, atol=1e-14 * np.abs(u0).max())


@pytest.mark.parametrize("equation", EQUATIONS, ids=NAMES)
def test_metadata_is_consistent(equation: Equation) -> None:
    assert len(set(equation.component_names)) == equation.dim
    assert list(equation.dts) == sorted(equation.dts, reverse=True)
    for dt in equation.dts:
        steps = (equation.t_end - equation.t0) / dt
        assert abs(steps - round(steps)) < 1e-9 * steps, dt
    assert len(equation.description) > 60
    assert equation.citation.text()
    assert ("linear" in equation.tags) == (equation.name in LINEAR)
    assert equation.lyapunov is None or "chaotic" in equation.tags


LINEAR = {"spring-chain", "damped-oscillator", "driven-oscillator", "dahlquist"}


@pytest.mark.parametrize("equation", EQUATIONS, ids=NAMES)
def test_sampler_is_seeded(equation: Equation) -> None:
    first, again, other = (equation.initial_states(seed, 64) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert np.all(np.isfinite(first))
    assert np.all(np.isfinite(equation.evaluate(0.0, first)))
    assert not np.array_equal(first, other)
    assert len(np.unique(first, axis=1)[0]) == 64, "two trajectories start alike"


@pytest.mark.parametrize("name", NAMES)
def test_tags_tell_polynomial_equations(name: str) -> None:
    equation = REGISTRY.equation(name)
    traced = trace(equation)
    polynomial = all(e.is_polynomial(*traced.u) for e in (*traced.outputs, *(v for _, v in traced.definitions)))
    assert ("polynomial" in equation.tags) == polynomial


@pytest.mark.parametrize("name", NAMES)
def test_separable_systems_are_found(name: str) -> None:
    equation = REGISTRY.equation(name)
    halves = trace(equation).halves
    assert ("separable" in equation.tags) == (halves is not None)
    if halves is not None:
        positions, velocities = halves
        sparsity = trace(equation).sparsity
        assert sorted(positions + velocities) == list(range(equation.dim))
        assert not sparsity[np.ix_(positions, positions)].any()
        assert not sparsity[np.ix_(velocities, velocities)].any()
        names = np.array(equation.component_names)
        assert not any(n.startswith(("p_", "v_", "vx", "vy")) for n in names[list(positions)]), names
