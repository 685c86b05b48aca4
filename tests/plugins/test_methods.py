"""Every registered method attains its order: by its conditions, and as observed on a nonlinear problem."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
from attns_plugins.methods import METHODS

from attns_core import Citation, Equation, ExplicitRungeKutta, OneStepSolver, Problem, Splitting, solve
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.method import AbstractMethod
from attns_core.order_conditions import first_violated, residuals

CITATION = Citation(
    key="hairer1993",
    authors="E. Hairer, S. P. Norsett, G. Wanner",
    title="Solving Ordinary Differential Equations I",
    where="Springer",
    year=1993,
)
RUNGE_KUTTA = [m for m in METHODS if isinstance(m, ExplicitRungeKutta)]
SPLITTINGS = [m for m in METHODS if isinstance(m, Splitting)]


def by_name(methods: list[Any]) -> dict[str, Any]:
    return {"argvalues": methods, "ids": [m.name for m in methods]}


def rational(method: ExplicitRungeKutta) -> bool:
    """Whether the coefficients are exact, not decimals of 16 to 40 digits."""
    exact = method.tableau.exact
    return not any(residuals(exact.a, exact.b, method.order).values())


def test_decimal_coefficients_are_the_exception() -> None:
    assert {m.name for m in RUNGE_KUTTA if not rational(m)} == {"tsit5", "dop853", "dop853-twice", "verner9"}


@pytest.mark.parametrize("method", **by_name(RUNGE_KUTTA))
def test_order_conditions_hold_exactly(method: ExplicitRungeKutta) -> None:
    """All trees up to the order, in rational arithmetic; decimal coefficients to their last digit."""
    exact = method.tableau.exact
    digits = {"tsit5": 5e-16, "dop853": 1e-28, "dop853-twice": 1e-28, "verner9": 1e-38}
    assert first_violated(exact.a, exact.b, method.order, digits.get(method.name, 0.0)) is None
    # The order is not higher than declared either; steps taken several at a time have smaller error constants.
    constants = 1e-14 if "composed" in method.tags else 1e-9
    assert first_violated(exact.a, exact.b, method.order + 1, constants) is not None
    if exact.b_error is not None and method.error_order is not None:
        embedded = [b - e for b, e in zip(exact.b, exact.b_error, strict=True)]
        assert first_violated(exact.a, embedded, method.error_order, digits.get(method.name, 0.0)) is None
        assert first_violated(exact.a, embedded, method.error_order + 1, 1e-9) is not None


@pytest.mark.parametrize("method", **by_name([m for m in RUNGE_KUTTA if m.error_order_low is not None]))
def test_order_of_the_second_estimate(method: ExplicitRungeKutta) -> None:
    assert method.error_order_low is not None
    embedded = method.tableau.b - method.b_error_low
    assert first_violated(method.tableau.a, embedded, method.error_order_low, 1e-14) is None
    assert first_violated(method.tableau.a, embedded, method.error_order_low + 1, 1e-9) is not None


# A nonlinear, non-autonomous system of four components in closed form (Hairer, Norsett, Wanner I, II.5,
# from Kutta's test with sin t^2), written once and evaluated here with 70 digits, there in float64.
def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    a, b, c, d = u
    return 2 * t * m.exp(m.log(b) / 5) * d, 10 * t * m.exp(5 * (c - 1)) * d, 2 * t * d, -2 * t * m.log(a)


def closed_form(t: Any, m: Any) -> list[Any]:
    s = m.sin(t * t)
    return [m.exp(s), m.exp(5 * s), s + 1, m.cos(t * t)]


HAIRER = Equation(
    name="sine-squares",
    title="Four functions of sin t^2",
    description="A test of order.",
    rhs=rhs,
    components=("a", "b", "c", "d"),
    sample=lambda p, rng, n: np.ones((4, n)),
    t_end=1.0,
    dts=(0.1,),
    citation=CITATION,
)


def exact_step(method: ExplicitRungeKutta) -> Callable[[Any, list[Any], Any], list[Any]]:
    """One step with the tableau's exact coefficients, in the arithmetic of its arguments."""

    def number(value: Fraction) -> Any:
        return mpmath.mpf(value.numerator) / value.denominator

    exact = method.tableau.exact
    a = [[number(v) for v in row] for row in exact.a]
    b, c = [number(v) for v in exact.b], [number(v) for v in exact.c]

    def step(t: Any, u: list[Any], h: Any) -> list[Any]:
        k: list[Any] = []
        for i, row in enumerate(a):
            inner = [x + h * sum(row[j] * k[j][n] for j in range(i) if row[j]) for n, x in enumerate(u)]
            k.append(rhs(t + c[i] * h, inner, None, mpmath))
        return [x + h * sum(w * k_i[n] for w, k_i in zip(b, k, strict=True) if w) for n, x in enumerate(u)]

    return step


@pytest.mark.parametrize("method", **by_name(RUNGE_KUTTA))
def test_observed_order(method: ExplicitRungeKutta) -> None:
    """Halving the step divides the global error by ``2**order``, within 0.2.

    Optimised pairs have leading error terms so small that the asymptotic rate shows only at tiny steps;
    arithmetic of 70 digits sees it there, as long as the coefficients are exact.
    """
    span = 2**-13 if rational(method) else 2**-3
    with mpmath.workdps(70):
        step = exact_step(method)
        errors = []
        for n in (16, 32):
            h, total = mpmath.mpf(span) / n, mpmath.mpf(0)
            t = mpmath.mpf(0.5)
            u = closed_form(t, mpmath)
            for i in range(n):
                u = step(t + i * h, u, h)
                if (i + 1) % (n // 8) == 0:
                    exact = closed_form(t + (i + 1) * h, mpmath)
                    total += sum((x - y) ** 2 for x, y in zip(u, exact, strict=True))
            errors.append(mpmath.sqrt(total))
        observed = float(mpmath.log(errors[0] / errors[1], 2))
    assert abs(observed - method.order) < 0.2


@pytest.mark.parametrize("method", **by_name(RUNGE_KUTTA))
def test_backend_takes_the_exact_steps(method: ExplicitRungeKutta) -> None:
    """What the reference backend computes in float64 is the exact scheme up to round-off."""
    times = 0.5 + np.arange(9) / 64
    problem = Problem(equation=HAIRER, u0=np.array(closed_form(0.5, mpmath), dtype=float)[:, None], t_save=times)
    solution = solve(problem, OneStepSolver(method=method, backend=NumpyBackend()), dt=1 / 64)
    with mpmath.workdps(40):
        step = exact_step(method)
        u = [mpmath.mpf(float(x)) for x in problem.u0[:, 0]]
        for i in range(8):
            u = step(mpmath.mpf(times[i]), u, mpmath.mpf(1) / 64)
        expected = np.array(u, dtype=float)
    # Large weights of opposite sign (Verner 6: their sizes sum to 500) amplify round-off.
    amplification = 1 + np.abs(method.tableau.b).sum()
    np.testing.assert_allclose(solution.u[-1, :, 0], expected, rtol=1e-14 * amplification)
    assert solution.nfe[0] == 8 * method.tableau.effective_stages


def pendulum(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    """``q = sin t`` of ``q'' = -q^3 - sin t + sin^3 t``: separable, nonlinear, non-autonomous."""
    q, v = u
    return v, -(q**3) - m.sin(t) + m.sin(t) ** 3


MANUFACTURED = Equation(
    name="forced-cubic-spring",
    title="Cubic spring with a chosen solution",
    description="A test of order for splittings.",
    rhs=pendulum,
    components=("q", "v"),
    sample=lambda p, rng, n: np.tile([[0.0], [1.0]], (1, n)),
    t_end=4.0,
    dts=(0.1,),
    citation=CITATION,
)


@pytest.mark.parametrize("method", **by_name(SPLITTINGS))
def test_observed_order_of_splittings(method: Splitting) -> None:
    times = np.linspace(0.0, 4.0, 5)
    exact = np.stack([np.sin(times), np.cos(times)], axis=1)
    problem = Problem(equation=MANUFACTURED, u0=np.array([[0.0], [1.0]]), t_save=times)
    errors = []
    # Coarser for the sixth order, before its errors meet round-off.
    for dt in (1 / 16, 1 / 32) if method.order <= 4 else (1 / 4, 1 / 8):
        solution = solve(problem, OneStepSolver(method=method, backend=NumpyBackend()), dt=dt)
        errors.append(np.sqrt(np.sum((solution.u[:, :, 0] - exact) ** 2)))
    assert abs(np.log2(errors[0] / errors[1]) - method.order) < 0.2


@pytest.mark.parametrize("method", **by_name(SPLITTINGS))
def test_splittings_are_time_reversible(method: Splitting) -> None:
    np.testing.assert_allclose(method.kick, method.kick[::-1], atol=1e-15)
    np.testing.assert_allclose(method.drift, method.drift[::-1], atol=1e-15)


def test_every_method_has_a_source_and_a_title() -> None:
    method: AbstractMethod
    for method in METHODS:
        assert method.title
        assert method.citation.text()
        assert method.identity() == method.identity()
    assert len({m.identity() for m in METHODS}) == len(METHODS)
