"""The compiled backend computes what the reference backend computes, for every method and equation."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attns_core import Adaptive, Equation, ExplicitRungeKutta, FixedStep, Problem, Splitting, build_registry
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numpy_reference import NumpyBackend

REGISTRY = build_registry()
RUNGE_KUTTA = [m for m in REGISTRY.all("method") if isinstance(m, ExplicitRungeKutta)]
SPLITTINGS = [m for m in REGISTRY.all("method") if isinstance(m, Splitting)]
STAGED = NumbaBackend(form="staged", lanes=8)
FUSED = NumbaBackend(form="fused", lanes=16)


def short_problem(equation: Any, n: int, steps: int = 2) -> tuple[Problem, FixedStep]:
    """A few steps, short enough that explicit methods do not explode on stiff equations."""
    stiff = equation.tags & {"stiff", "semilinear"}
    dt = equation.dts[-1] * (1e-4 if stiff else 1)
    t_save = equation.t0 + dt * np.array([0, steps // 2, steps])
    return Problem(equation=equation, u0=equation.initial_states(3, n), t_save=t_save), FixedStep(dt)


def difference(backend: Any, problem: Problem, method: Any, control: Any, dtype: str = "float64") -> float:
    """Largest difference from the reference backend, relative to the state's size (maximum norm)."""
    expected = NumpyBackend().prepare(problem, method, control, None, dtype)()
    got = backend.prepare(problem, method, control, None, dtype)()
    assert got.u.dtype == np.dtype(dtype)
    assert np.isfinite(expected.u).all()
    assert np.array_equal(got.n_steps, expected.n_steps)
    assert np.array_equal(got.nfe, expected.nfe)
    size = np.abs(expected.u).max(axis=(0, 1), keepdims=True)
    return float((np.abs(got.u - expected.u) / size).max())


@pytest.mark.parametrize("name", REGISTRY.names("equation"))
def test_every_runge_kutta_method_on_every_equation(name: str) -> None:
    problem, control = short_problem(REGISTRY.equation(name), n=5)
    for method in RUNGE_KUTTA:
        assert difference(STAGED, problem, method, control) < 1e-12, method.name


@pytest.mark.parametrize("name", REGISTRY.names("equation"))
def test_splittings_on_every_equation_they_apply_to(name: str) -> None:
    problem, control = short_problem(REGISTRY.equation(name), n=1)
    for method in SPLITTINGS:
        reason = FUSED.supports(problem, method, control, None, "float64")
        assert reason == NumpyBackend().supports(problem, method, control, None, "float64")
        # Many stages of a large system are seconds of compilation each and no other code.
        if reason is None and method.stages * problem.equation.dim <= 64:
            assert difference(FUSED, problem, method, control) < 1e-12, method.name


@pytest.mark.parametrize("method", RUNGE_KUTTA, ids=lambda m: m.name)
def test_whole_steps_of_every_method(method: Any) -> None:
    problem, control = short_problem(REGISTRY.equation("lorenz-63"), n=21)
    assert difference(FUSED, problem, method, control) < 1e-12


@pytest.mark.parametrize("n", [1, 37])
@pytest.mark.parametrize("name", ["elastic-pendulum", "driven-oscillator", "stick-slip", "spring-chain"])
def test_whole_steps_of_various_equations(name: str, n: int) -> None:
    problem, control = short_problem(REGISTRY.equation(name), n=n)
    assert difference(FUSED, problem, REGISTRY.method("rk4"), control) < 1e-14


@pytest.mark.parametrize("backend", [FUSED, STAGED], ids=["fused", "staged"])
def test_single_precision(backend: NumbaBackend) -> None:
    problem, control = short_problem(REGISTRY.equation("elastic-pendulum"), n=9)
    assert difference(backend, problem, REGISTRY.method("rk4"), control, "float32") < 2e-6


def test_fast_math_is_close_and_recorded() -> None:
    problem, control = short_problem(REGISTRY.equation("elastic-pendulum"), n=9)
    backend = replace(FUSED, fastmath=True)
    assert difference(backend, problem, REGISTRY.method("rk4"), control) < 1e-13
    assert backend.prepare(problem, REGISTRY.method("rk4"), control, None, "float64")().extra["fastmath"] is True


@pytest.mark.parametrize("form", ["fused", "staged"])
@pytest.mark.parametrize(
    ("equation", "method"),
    [
        ("elastic-pendulum", "dop853"),
        ("driven-oscillator", "dopri5"),
        ("lorenz-63", "verner7"),
        ("henon-heiles", "verner9"),
    ],
)
def test_adaptive_steps_are_the_reference_ones(equation: str, method: str, form: str) -> None:
    e = REGISTRY.equation(equation)
    problem = Problem.sample(e, n=21, t_end=e.t0 + 4 * e.dts[0], save_every=2 * e.dts[0])
    backend = replace(FUSED, form=form)
    # The counts inside `difference` make sure that steps are accepted and rejected alike.
    assert difference(backend, problem, REGISTRY.method(method), Adaptive(rtol=1e-7, atol=1e-7)) < 1e-11


def test_lost_trajectories_do_not_disturb_the_others() -> None:
    problem, _ = short_problem(REGISTRY.equation("lorenz-63"), n=9)
    u0 = np.array(problem.u0)
    u0[0, 4] = np.nan
    control = Adaptive(rtol=1e-7, atol=1e-7)
    method = REGISTRY.method("dopri5")
    whole = FUSED.prepare(problem, method, control, None, "float64")()
    broken = FUSED.prepare(replace(problem, u0=u0), method, control, None, "float64")()
    others = np.arange(9) != 4
    assert np.array_equal(broken.u[:, :, others], whole.u[:, :, others])
    assert np.isnan(broken.u[1:, :, 4]).all()
    assert "1 given up" in broken.message


def explosion(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    return u[0] ** 2, 1.0 + 0 * u[1]


@pytest.mark.parametrize("form", ["fused", "staged"])
@pytest.mark.parametrize("method", ["dopri5", "dop853"])
@pytest.mark.parametrize("max_steps", [25, 1_000_000])
def test_trajectories_are_given_up_as_in_the_reference(max_steps: int, method: str, form: str) -> None:
    equation = Equation(
        name="explosion",
        title="Explosion",
        description="u = 1 / (1 / u0 - t) beside the time.",
        rhs=explosion,
        components=("u", "time"),
        sample=lambda p, rng, n: np.stack([rng.uniform(-1.0, 3.0, n), np.zeros(n)]),
        t_end=1.0,
        dts=(0.1,),
        citation=REGISTRY.equation("lorenz-63").citation,
    )
    # More trajectories than lanes, some of them lost, one from the beginning.
    u0 = equation.initial_states(0, 40)
    u0[0, 7] = np.nan
    problem = Problem(equation=equation, u0=u0, t_save=np.array([0.0, 0.3, 0.35, 1.0]))
    control, scheme = Adaptive(rtol=1e-6, atol=1e-6, max_steps=max_steps), REGISTRY.method(method)
    expected = NumpyBackend().prepare(problem, scheme, control, None, "float64")()
    got = replace(FUSED, form=form).prepare(problem, scheme, control, None, "float64")()
    lost = np.isnan(expected.u)
    assert 2 < lost[-1, 0].sum() < 30
    np.testing.assert_array_equal(np.isnan(got.u), lost)
    np.testing.assert_allclose(got.u[~lost], expected.u[~lost], rtol=1e-9)
    assert got.message == expected.message
    calm = ~lost[-1, 0] if max_steps == 1_000_000 else np.arange(40) != 7
    for counter in ("n_steps", "n_rejected", "nfe"):
        np.testing.assert_array_equal(getattr(got, counter)[calm], getattr(expected, counter)[calm])
