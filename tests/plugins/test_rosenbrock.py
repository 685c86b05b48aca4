"""Rosenbrock methods: order conditions, observed orders, stability, and stiff problems."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from attns_plugins.equations import EQUATIONS
from attns_plugins.equations.elastic_pendulum import ELASTIC_PENDULUM
from attns_plugins.equations.logistic_forced import LOGISTIC_FORCED
from attns_plugins.equations.quadrupole_trap import QUADRUPOLE_TRAP
from attns_plugins.equations.robertson import ROBERTSON
from attns_plugins.methods import METHODS
from attns_plugins.methods.rodas4 import RODAS4

from attns_core import AttnsError, Equation, OneStepSolver, Problem, Rosenbrock, solve
from attns_core.backends.numpy_reference import NumpyBackend, increment
from attns_core.jacobian import Derivatives
from attns_core.order_conditions import first_violated
from attns_core.reference import make_reference, relative_gap

ROSENBROCK = [m for m in METHODS if isinstance(m, Rosenbrock)]
NAMES = [m.name for m in ROSENBROCK]
EMBEDDED = [m for m in ROSENBROCK if m.is_adaptive]
STIFF = [e for e in EQUATIONS if "stiff" in e.tags and e.dim <= 16]


def solver(method: Rosenbrock) -> OneStepSolver:
    return OneStepSolver(method=method, backend=NumpyBackend())


@pytest.mark.parametrize("method", ROSENBROCK, ids=NAMES)
def test_order_conditions(method: Rosenbrock) -> None:
    """All trees up to the order and no further, for the solution and the embedded one."""
    inner, gammas, b, b_error = method.classical()
    beta = inner + gammas
    assert first_violated(inner, b, method.order, 1e-13, beta) is None
    assert first_violated(inner, b, method.order + 1, 1e-9, beta) is not None
    if method.error_order is not None:
        assert first_violated(inner, b - b_error, method.error_order, 1e-13, beta) is None
        assert first_violated(inner, b - b_error, method.error_order + 1, 1e-9, beta) is not None


@pytest.mark.parametrize("method", ROSENBROCK, ids=NAMES)
def test_observed_order(method: Rosenbrock) -> None:
    u0 = np.array([[0.2, 0.5, 0.8, 1.4]])
    problem = Problem(equation=LOGISTIC_FORCED, u0=u0, t_save=np.linspace(0, 2, 5))
    exact = make_reference(problem).u
    errors = [np.sqrt(np.mean((solve(problem, solver(method), dt=2 / n).u - exact) ** 2)) for n in (64, 128)]
    assert abs(np.log2(errors[0] / errors[1]) - method.order) < 0.2


@pytest.mark.parametrize("method", ROSENBROCK, ids=NAMES)
def test_l_stability(method: Rosenbrock) -> None:
    z = 1j * np.geomspace(1e-2, 1e4, 200)
    assert np.abs(method.stability(z)).max() <= 1 + 1e-9
    assert abs(complex(method.stability(-1e9))) < 1e-6
    # A figure's grid may hit the pole, which must not end the report.
    pole = abs(complex(method.stability(1 / method.gamma)))
    assert np.isnan(pole) or pole > 1e9


@pytest.mark.parametrize("method", ROSENBROCK, ids=NAMES)
def test_stability_function_is_what_a_step_does(method: Rosenbrock) -> None:
    """One step on ``u' = lambda u`` multiplies by ``R(lambda dt)``."""
    decay = next(e for e in EQUATIONS if e.name == "dahlquist")
    a = decay.evaluate(0.0, np.eye(2))
    eigenvalues, vectors = np.linalg.eig(a)
    problem = Problem(equation=decay, u0=np.array([[1.0], [0.5]]), t_save=np.array([0.0, 0.3]))
    factors = method.stability(0.3 * eigenvalues)
    expected = (vectors @ np.diag(factors) @ np.linalg.inv(vectors) @ problem.u0).real
    np.testing.assert_allclose(solve(problem, solver(method), dt=0.3).u[-1], expected, rtol=1e-12)


@pytest.mark.parametrize("equation", STIFF, ids=[e.name for e in STIFF])
@pytest.mark.parametrize("method", EMBEDDED, ids=[m.name for m in EMBEDDED])
def test_stiff_problems_within_factor_50_of_the_tolerance(method: Rosenbrock, equation: Equation) -> None:
    """Over the first twentieth of the span: a relaxation oscillation shifts its phase beyond."""
    span = (equation.t_end - equation.t0) / 20
    problem = Problem.sample(equation, n=2, t_end=equation.t0 + span, save_every=span / 4)
    reference = make_reference(problem)
    solution = solve(problem, solver(method), rtol=1e-5, atol=1e-9)
    assert relative_gap(reference.u, solution.u).max() < 50 * 1e-5
    assert solution.n_steps.max() < 1000


def test_fixed_steps_far_beyond_the_explicit_limit() -> None:
    """Prothero and Robinson's problem: the solution is cos t, the decay towards it a million times faster."""

    def rhs(t: Any, u: Any, p: Any, m: Any) -> Any:
        return (-1e6 * (u[0] - m.cos(t)) - m.sin(t),)

    equation = replace(LOGISTIC_FORCED, name="prothero-robinson", rhs=rhs, exact=None, params={})
    problem = Problem(equation=equation, u0=np.array([[1.0]]), t_save=np.linspace(0, 5, 11))
    for method in ROSENBROCK:
        error = np.abs(solve(problem, solver(method), dt=0.1).u[:, 0, 0] - np.cos(problem.t_save)).max()
        assert error < (1e-6 if method.is_adaptive else 1e-2)


@pytest.mark.parametrize("method", ROSENBROCK, ids=NAMES)
def test_increment_is_the_sum_of_the_stages(method: Rosenbrock) -> None:
    problem = Problem.sample(ELASTIC_PENDULUM, n=3)
    S, k = increment(problem, method)(0.0, problem.u0, 0.1)
    assert k.shape == (method.stages, 4, 3)
    np.testing.assert_allclose(0.1 * np.tensordot(method.m, k, axes=1), S, rtol=1e-13)


def test_evaluations_are_counted() -> None:
    assert [m.evaluations for m in ROSENBROCK] == [1, 6, 8]
    problem = Problem.sample(ROBERTSON, n=2, t_end=1.0, save_every=1.0)
    solution = solve(problem, solver(RODAS4), rtol=1e-4)
    attempts = solution.n_steps + solution.n_rejected
    np.testing.assert_array_equal(solution.nfe, 2 + 5 * attempts + solution.n_steps - 1)


@pytest.mark.parametrize("equation", [ELASTIC_PENDULUM, QUADRUPOLE_TRAP], ids=lambda e: e.name)
def test_derivatives_match_differences(equation: Equation) -> None:
    u = equation.initial_states(0, 3)
    derivatives, t, h = Derivatives(equation), 0.7, 1e-6
    jacobian = derivatives.jacobian(t, u)
    for j in range(equation.dim):
        step = h * np.eye(equation.dim)[:, j : j + 1]
        difference = (equation.evaluate(t, u + step) - equation.evaluate(t, u - step)) / (2 * h)
        np.testing.assert_allclose(jacobian[:, :, j].T, difference, atol=1e-7)
    difference = (equation.evaluate(t + h, u) - equation.evaluate(t - h, u)) / (2 * h)
    np.testing.assert_allclose(derivatives.time_derivative(t, u), difference, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gamma": 0.0}, "gamma must be a positive number, got 0.0"),
        ({"gamma": 0.3}, "violates the condition"),
        ({"error_order": None}, "e and error_order come together"),
        ({"error_order": 4}, "embedded solution is declared of order 4"),
        ({"a": [[]]}, "a has 1 rows, there are 6 stages"),
        ({"c": [[1]] + [[]] * 5}, "c must be strictly lower triangular"),
        ({"e": [1]}, "e has shape"),
    ],
)
def test_inconsistent_coefficients_are_refused(changes: dict[str, Any], message: str) -> None:
    r = RODAS4
    given: dict[str, Any] = {"gamma": r.gamma, "a": r.a, "c": r.c, "m": r.m, "e": r.e, "error_order": r.error_order}
    with pytest.raises(AttnsError, match=message):
        Rosenbrock(name="x", title="x", order=4, citation=r.citation, **(given | changes))
