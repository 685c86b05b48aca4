"""Registered methods on registered backends against closed forms: every layer together."""

from typing import Any

import numpy as np
import pytest

from attns_core import Problem, build_registry, solve

REGISTRY = build_registry(only=["equations", "methods", "backends"])


def solved(
    name: str, method: str, *, params: Any = None, n: int = 4, backend: str = "numba", **options: Any
) -> tuple[Problem, Any]:
    equation = REGISTRY.equation(name, **(params or {}))
    problem = Problem.sample(equation, n=n, save_every=(equation.t_end - equation.t0) / 4)
    solution = solve(problem, REGISTRY.solver(method, backend=backend), **options)
    return problem, solution.u


def closed_form(problem: Problem) -> Any:
    equation = problem.equation
    return np.stack([equation.exact(t, problem.u0, equation.p) for t in problem.t_save])


def test_spring_chain_equals_the_matrix_exponential() -> None:
    problem, u = solved("spring-chain", "dop853", dt=0.0125)
    np.testing.assert_allclose(u, closed_form(problem), atol=1e-10)


def test_kepler_equals_its_closed_form() -> None:
    problem, u = solved("kepler", "dop853", backend="numpy", rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(u, closed_form(problem), atol=1e-9)


@pytest.mark.parametrize("name", ["damped-oscillator", "driven-oscillator", "dahlquist", "logistic-forced"])
def test_oscillators_and_growth_equal_their_closed_forms(name: str) -> None:
    problem, u = solved(name, "dop853", dt=0.025)
    np.testing.assert_allclose(u, closed_form(problem), atol=1e-12)


def test_arenstorf_orbit_closes() -> None:
    problem, u = solved("arenstorf", "dop853", params={"spread": 0.0}, n=1, backend="numpy", rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(u[-1], problem.u0, atol=1e-6)
    assert np.linalg.norm(u[1:-1] - problem.u0, axis=1).min() > 0.1


def test_euler_explodes_on_the_chain_and_runge_kutta_does_not() -> None:
    _, euler = solved("spring-chain", "euler", dt=0.2)
    _, rk4 = solved("spring-chain", "rk4", dt=0.2)
    assert np.abs(euler[-1]).max() > 1e10
    assert np.abs(rk4[-1]).max() < 20
