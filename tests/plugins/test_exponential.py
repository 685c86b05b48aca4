"""Exponential Runge-Kutta methods: matrix functions, orders, exactness for linear and stability for stiff equations."""

from typing import Any

import numpy as np
import pytest
from attns_plugins.equations.dahlquist import DAHLQUIST
from attns_plugins.equations.kepler import KEPLER
from attns_plugins.equations.kuramoto_sivashinsky import KURAMOTO_SIVASHINSKY
from attns_plugins.equations.logistic_forced import LOGISTIC_FORCED
from attns_plugins.methods import METHODS
from attns_plugins.methods.etdrk4 import ETDRK4
from attns_plugins.methods.exponential_euler import EXPONENTIAL_EULER
from attns_plugins.methods.rk4 import RK4

from attns_core import AttnsError, ExponentialRungeKutta, FixedStep, OneStepSolver, Problem, solve
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numpy_exponential import linear_part, phi_functions
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.integrators import taylor
from attns_core.reference import relative_gap

EXPONENTIAL = [m for m in METHODS if isinstance(m, ExponentialRungeKutta)]
NAMES = [m.name for m in EXPONENTIAL]


def solver(method: Any) -> OneStepSolver:
    return OneStepSolver(method=method, backend=NumpyBackend())


def test_phi_functions_against_their_definitions() -> None:
    """Eigenvalues from large to vanishing, where the plain formulas cancel."""
    z = np.diag([-30.0, -1.0, 2.0])
    x = np.diag(z)
    one = np.expm1(x) / x
    two = (one - 1) / x
    expected = [one, two, (two - 0.5) / x]
    for found, values in zip(phi_functions(z), expected, strict=True):
        np.testing.assert_allclose(np.diag(found), values, rtol=1e-12)
    for found, value in zip(phi_functions(np.zeros((2, 2))), (1, 1 / 2, 1 / 6), strict=True):
        np.testing.assert_allclose(found, value * np.eye(2), atol=1e-16)


@pytest.mark.parametrize("method", EXPONENTIAL, ids=NAMES)
def test_observed_order(method: ExponentialRungeKutta) -> None:
    u0 = np.array([[0.2, 0.5, 0.8, 1.4]])
    problem = Problem(equation=LOGISTIC_FORCED, u0=u0, t_save=np.linspace(0, 2, 5))
    exact = taylor.integrate(problem, 1e-13)
    errors = [np.sqrt(np.mean((solve(problem, solver(method), dt=2 / n).u - exact) ** 2)) for n in (64, 128)]
    assert abs(np.log2(errors[0] / errors[1]) - method.order) < 0.2


@pytest.mark.parametrize("method", EXPONENTIAL, ids=NAMES)
def test_linear_equations_are_exact_at_any_step(method: ExponentialRungeKutta) -> None:
    problem = Problem.sample(DAHLQUIST, n=3, t_end=5.0, save_every=2.5)
    assert relative_gap(taylor.integrate(problem, 1e-13), solve(problem, solver(method), dt=2.5).u).max() < 1e-12


def test_stiff_grids_at_steps_where_explicit_methods_explode() -> None:
    coarse = KURAMOTO_SIVASHINSKY.with_params(n=32)
    problem = Problem.sample(coarse, n=2, t_end=6.0, save_every=3.0)
    exact = taylor.integrate(problem, 1e-13)
    errors = [relative_gap(exact, solve(problem, solver(ETDRK4), dt=dt).u).max() for dt in (1 / 8, 1 / 16)]
    assert errors[1] < 1e-3
    assert errors[0] / errors[1] > 2**3
    with np.errstate(all="ignore"):
        explicit = solve(problem, solver(RK4), dt=1 / 16)
    assert not explicit.finite.any()


@pytest.mark.parametrize("method", EXPONENTIAL, ids=NAMES)
def test_compiled_steps_are_the_reference_steps(method: ExponentialRungeKutta) -> None:
    for equation, dt in ((KURAMOTO_SIVASHINSKY.with_params(n=16), 0.125), (LOGISTIC_FORCED, 0.25)):
        problem = Problem.sample(equation, n=5, t_end=1.0, save_every=0.5)
        expected = solve(problem, solver(method), dt=dt)
        found = solve(problem, OneStepSolver(method=method, backend=NumbaBackend()), dt=dt)
        np.testing.assert_allclose(found.u, expected.u, rtol=1e-11, atol=1e-12)
        np.testing.assert_array_equal(found.nfe, expected.nfe)


def test_the_linear_part_is_the_constant_jacobian() -> None:
    coarse = KURAMOTO_SIVASHINSKY.with_params(n=16)
    u = 1e-7 * coarse.initial_states(0, 1)
    np.testing.assert_allclose(linear_part(coarse) @ u, coarse.evaluate(0.0, u), atol=1e-10)


def test_singular_equations_are_refused_with_the_reason() -> None:
    problem = Problem.sample(KEPLER)
    assert "singular at u = 0" in str(solver(ETDRK4).supports(problem, FixedStep(0.1)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b": [(1, -3, 4), (0, 2, -4), (0, 2, -4), (0, -1, 3)]}, "b sums to"),
        ({"c": [0, 1 / 3, 1 / 2, 1]}, "row 2 of a sums to"),
        ({"a": [[(0,)], [(1 / 2,)], [(1 / 2,)], [(1,)]]}, "strictly lower triangular"),
        ({"a": [[]]}, "a has 1 rows"),
        ({"order": 5}, "violates the order condition"),
    ],
)
def test_inconsistent_coefficients_are_refused(changes: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"order": 4, "a": ETDRK4.a, "b": ETDRK4.b, "c": ETDRK4.c}
    with pytest.raises(AttnsError, match=message):
        ExponentialRungeKutta(name="x", title="x", citation=EXPONENTIAL_EULER.citation, **(given | changes))
