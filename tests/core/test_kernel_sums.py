"""Long sums of equal terms become loops and stay what they were."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attns_core import Adaptive, Citation, Equation, FixedStep, Problem, build_registry
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numba_record import recorded
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.integrators.compiled import compiled_jacobian, compiled_rhs
from attns_core.kernels.graph import LANE, TIME
from attns_core.kernels.sums import SumLoop, sum_loops
from attns_core.rhs_forms import rhs_form

REGISTRY = build_registry()
N = 21
STAGED, FUSED = NumbaBackend(lanes=8), NumbaBackend(form="fused", lanes=8)


def derived(p: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {name: tuple(rng.standard_normal(p.n) / p.n**0.5) for name in ("a", "b", "k", "w")}


def equation(rhs: Any) -> Equation:
    citation = Citation(key="x", authors="X", title="X", where="X", year=2000)
    return Equation(
        name="sums", title="Sums", description="Sums.", rhs=rhs, components=("x", "y"), citation=citation,
        params={"n": N}, derived=derived, sample=lambda p, rng, n: rng.uniform(-1.0, 1.0, (2, n)), t_end=1.0,
        dts=(0.125,),
    )  # fmt: skip


def shared(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y = u
    fx, fy = 0.0, -y
    for j in range(p.n):
        slope = p.a[j] * m.sin(p.k[j] * x - p.w[j] * y)
        fx, fy = fx - slope * p.k[j], fy + p.w[j] * slope
    return fx, fy


def alternating(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y = u
    force = x * y
    for j in range(p.n):
        force = force + p.a[j] * m.sin((j + 1) * x) / p.k[0]
        force = force + p.b[j] * m.cos((j + 1) * x)
    return y, force


def travelling(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y = u
    drive = m.cos(t)
    return y, -x + drive * sum(p.a[j] * m.sin(p.k[j] * x - p.w[j] * t + p.b[j] * drive) for j in range(p.n))


def selected(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y = u
    right = x > 0
    return y, sum(m.where(right, p.a[j] * x, m.where(y > p.b[j], p.k[j], -x * y)) for j in range(p.n))


def nested(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y = u
    inner = sum(p.a[j] * m.tanh(p.k[j] * x) for j in range(p.n))
    return y, -x + sum(p.b[j] * m.sin(p.w[j] * inner) * y for j in range(p.n)) * inner


RHS = [shared, alternating, travelling, selected, nested]


def loops(rhs: Any, level: int = LANE) -> list[SumLoop]:
    graph = recorded(equation(rhs))
    return list({id(loop): loop for loop in sum_loops(graph, graph.outputs, level).values()}.values())


def test_sums_with_common_terms_are_one_loop() -> None:
    (loop,) = loops(shared)
    assert loop.count == N // 4
    assert len(loop.totals) == 2
    assert sum(op == "sin" for op, _ in loop.formula.graph.ops) == 4
    # a, k and w of four terms: what the sums share is fetched once.
    assert len(loop.formula.coefficients) == 12


def test_kinds_of_terms_may_alternate() -> None:
    (loop,) = loops(alternating)
    kinds = [op for op, _ in loop.formula.graph.ops if op in ("sin", "cos")]
    assert kinds == ["sin", "cos"] * 2


def test_what_changes_with_time_only_is_computed_once_per_round() -> None:
    (loop,) = loops(travelling)
    assert len(loop.formula.clocked) == len(loop.clock.graph.outputs) == 8
    (loop,) = loops(travelling, TIME)
    assert not loop.formula.clocked


def test_sums_that_depend_on_each_other_are_loops_of_their_own() -> None:
    assert [len(loop.totals) for loop in loops(nested)] == [1, 1]


def test_short_or_unequal_sums_stay() -> None:
    assert not loops(lambda t, u, p, m: (u[1], sum(p.a[j] * m.sin(p.k[j] * u[0]) for j in range(12))))
    assert not loops(lambda t, u, p, m: (u[1], sum(p.a[j] * m.sin(u[0] ** (j + 1)) for j in range(N))))


BLOCKS = [(rhs, STAGED, "float64", 11) for rhs in RHS]
WHOLE = [(rhs, FUSED, "float64", 11) for rhs in (travelling, selected)]
SINGLE = [(rhs, STAGED, "float64", 1) for rhs in (shared, travelling)]
FLOATS = [(shared, STAGED, "float32", 11), (travelling, FUSED, "float32", 11)]


@pytest.mark.parametrize(("rhs", "backend", "dtype", "n"), [*BLOCKS, *WHOLE, *SINGLE, *FLOATS])
def test_fixed_steps_agree_with_the_reference(rhs: Any, backend: NumbaBackend, dtype: str, n: int) -> None:
    e = equation(rhs)
    problem = Problem(equation=e, u0=e.initial_states(0, n), t_save=np.array([0.0, 0.25, 0.5]))
    method, control = REGISTRY.method("rk4"), FixedStep(0.125)
    expected = NumpyBackend().prepare(problem, method, control, None, "float64")().u
    got = backend.prepare(problem, method, control, None, dtype)()
    assert got.extra["form"] == ("fused" if backend is FUSED or n == 1 else "staged")
    np.testing.assert_allclose(got.u, expected, rtol=0, atol=1e-14 if dtype == "float64" else 2e-6)


@pytest.mark.parametrize(("rhs", "name"), [(travelling, "dop853"), (shared, "rodas4")])
def test_adaptive_steps_agree_with_the_reference(rhs: Any, name: str) -> None:
    e = equation(rhs)
    problem = Problem(equation=e, u0=e.initial_states(0, 11), t_save=np.array([0.0, 0.5, 2.0]))
    method, control = REGISTRY.method(name), Adaptive(rtol=1e-6, atol=1e-8)
    expected = NumpyBackend().prepare(problem, method, control, None, "float64")()
    got = STAGED.prepare(problem, method, control, None, "float64")()
    np.testing.assert_array_equal(got.n_steps, expected.n_steps)
    np.testing.assert_allclose(got.u, expected.u, rtol=0, atol=1e-12)


def test_results_do_not_depend_on_the_block() -> None:
    e = equation(shared)
    problem = Problem(equation=e, u0=e.initial_states(0, 23), t_save=np.array([0.0, 0.25]))
    method, control = REGISTRY.method("rk4"), FixedStep(0.125)
    solved = [replace(b, lanes=n).prepare(problem, method, control, None, "float64")().u for b, n in
              ((STAGED, 8), (STAGED, 32), (FUSED, 16))]  # fmt: skip
    np.testing.assert_array_equal(solved[0], solved[1])
    np.testing.assert_allclose(solved[0], solved[2], rtol=0, atol=1e-15)


@pytest.mark.parametrize("rhs", [shared, alternating, selected])
def test_functions_of_one_trajectory(rhs: Any) -> None:
    e = equation(rhs)
    u, t, p, h = np.array([0.3, -0.7]), 0.5, e.p.numeric(), 1e-6
    value = rhs_form(e, "numpy")
    slopes = np.stack([(value(t, u + h * d) - value(t, u - h * d)) / (2 * h) for d in np.eye(2)], axis=1)
    np.testing.assert_allclose(rhs_form(e, "scalar")(t, u), value(t, u), rtol=0, atol=1e-14)
    np.testing.assert_allclose(rhs_form(e, "jacobian")(t, u), slopes, rtol=0, atol=1e-8)
    out = np.full(4, np.nan)
    compiled_rhs(e)(t, u, p, out[:2])
    np.testing.assert_allclose(out[:2], value(t, u), rtol=0, atol=1e-14)
    compiled_jacobian(e)(t, u, p, out)
    np.testing.assert_allclose(out.reshape(2, 2), slopes, rtol=0, atol=1e-8)
