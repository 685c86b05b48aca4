"""Tracing: recording, sharing, differentiating, and what it refuses."""

from typing import Any

import numpy as np
import pytest
import sympy as sp

from attns_core import AttnsError, Citation, Equation
from attns_core.tracing import trace

CITATION = Citation(key="none", authors="N. N.", title="None", where="Nowhere", year=2000)


def equation(rhs: Any, components: tuple[str, ...] = ("x", "y"), **fields: Any) -> Equation:
    return Equation(
        name="test",
        title="Test",
        description="Test",
        rhs=rhs,
        components=components,
        sample=lambda p, rng, n: rng.uniform(0.5, 1.5, (len(components), n)),
        t_end=1.0,
        dts=(0.1,),
        citation=CITATION,
        **fields,
    )


def test_small_systems_stay_whole() -> None:
    traced = trace(equation(lambda t, u, p, m: (u[1], -p.k * m.sin(u[0])), params={"k": 2.0}))
    x, y = traced.u
    assert traced.definitions == ()
    assert traced.rhs == (y, -traced.p[0] * sp.sin(x))
    assert traced.jacobian == ((0, 1), (-traced.p[0] * sp.cos(x), 0))
    assert traced.latex() == r"\begin{aligned}\dot{x} &= y \\ \dot{y} &= - k \sin{\left(x \right)}\end{aligned}"


def nested(t: Any, u: Any, p: Any, m: Any) -> Any:
    x = u[0]
    for _ in range(60):
        # Written out, the 60-fold composition has 3^60 leaves.
        x = x * m.cos(x) + 0.5 * m.sin(x) * u[1]
    return x, u[0]


def test_deep_compositions_stay_linear_and_right() -> None:
    e = equation(nested)
    traced = trace(e)
    assert len(traced.program.assignments) < 400
    values = {traced.u[0]: 0.3, traced.u[1]: 0.7}

    def run(program: Any) -> list[float]:
        known: dict[Any, Any] = dict(values)
        for symbol, value in program.assignments:
            assert value.free_symbols <= set(known), "used before it is assigned"
            known[symbol] = float(value.xreplace(known))
        return [float(out.xreplace(known)) for out in program.outputs]

    u = np.array([[0.3], [0.7]])
    assert run(traced.program) == pytest.approx(e.evaluate(0.0, u)[:, 0], rel=1e-12)
    jacobian = np.reshape(run(traced.jacobian_program), (2, 2))
    for j in range(2):
        h = np.zeros((2, 1))
        h[j] = 1e-6
        slope = (e.evaluate(0.0, u + h) - e.evaluate(0.0, u - h))[:, 0] / 2e-6
        assert jacobian[:, j] == pytest.approx(slope, rel=1e-4, abs=1e-9)


def test_programs_are_reproducible() -> None:
    first, second = (trace(equation(lambda *a: nested(*a))).program for _ in range(2))
    assert first is not second
    assert (first.assignments, first.outputs) == (second.assignments, second.outputs)


def test_same_function_is_traced_once_whatever_its_parameter_values() -> None:
    e = equation(lambda t, u, p, m: (p.a * u[1], u[0]), params={"a": 1.0})
    assert trace(e) is trace(e.with_params(a=2.0))


def test_functions_that_look_alike_are_told_apart() -> None:
    def scaled(factor: float) -> Any:
        return lambda t, u, p, m: (factor * u[1], u[0])

    assert trace(equation(scaled(2.0))).rhs != trace(equation(scaled(3.0))).rhs


def test_numpy_numbers_on_the_left() -> None:
    traced = trace(equation(lambda t, u, p, m: (np.float64(2.0) * u[1], np.float64(1.0) - u[0])))
    assert traced.rhs == (2.0 * traced.u[1], 1.0 - traced.u[0])


def test_choices_become_piecewise_and_are_differentiated_by_pieces() -> None:
    traced = trace(equation(lambda t, u, p, m: (m.where(u[0] > 0, u[0] ** 2, -u[1]), abs(u[0]))))
    assert traced.jacobian[0][0] == sp.Piecewise((2 * traced.u[0], traced.u[0] > 0), (0, True))
    assert traced.rhs[1] == sp.Abs(traced.u[0])


def test_time_is_found_through_definitions() -> None:
    def rhs(t: Any, u: Any, p: Any, m: Any) -> Any:
        drive = sum(m.cos(k * t) for k in range(1, 40))
        return u[1], -u[0] + drive

    traced = trace(equation(rhs))
    assert traced.definitions
    assert not traced.is_autonomous
    assert traced.halves == ((0,), (1,))
    slope = traced.time_derivative[1].evalf(subs={traced.t: 0.3})
    assert float(slope) == pytest.approx(-sum(k * np.sin(0.3 * k) for k in range(1, 40)))


def test_time_in_both_halves_is_not_separable() -> None:
    assert trace(equation(lambda t, u, p, m: (t * u[1], -t * u[0]))).halves is None


def test_operations_weigh_functions() -> None:
    cheap = trace(equation(lambda t, u, p, m: (u[1], u[0] + u[1])))
    dear = trace(equation(lambda t, u, p, m: (u[1], m.sin(u[0]) + m.sin(u[0]) * u[1])))
    assert cheap.operations == 1
    assert dear.operations == 22


@pytest.mark.parametrize(
    ("rhs", "message"),
    [
        (lambda t, u, p, m: (u[0],), "returned 1 components, the state has 2"),
        (lambda t, u, p, m: (u[0], 1.0 if u[0] > 0 else 2.0), "write m.where"),
        (lambda t, u, p, m: (u[0], np.sin(u[1])), "functions of m only"),
        (lambda t, u, p, m: (u[0], p.missing), "'missing'"),
    ],
)
def test_untraceable_right_hand_sides_are_explained(rhs: Any, message: str) -> None:
    with pytest.raises(AttnsError, match=message):
        trace(equation(rhs))
