"""The adaptive loop: counters, saved times, independence of trajectories, and giving up."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from attns_plugins.methods.dop853 import DOP853
from attns_plugins.methods.dopri5 import DOPRI5
from attns_plugins.methods.rk4 import RK4

from attns_core import Adaptive, AttnsError, Citation, Equation, OneStepSolver, Problem, Solution, solve
from attns_core.backends.numpy_adaptive import solve_adaptive
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.step_size import CONTROLLER

CITATION = Citation(key="none", authors="N. N.", title="None", where="Nowhere", year=2000)


def equation(rhs: Any, dim: int = 1) -> Equation:
    return Equation(
        name="test",
        title="Test",
        description="Test",
        rhs=rhs,
        components=tuple("xyz"[:dim]),
        sample=lambda p, rng, n: rng.uniform(0.5, 1.5, (dim, n)),
        t_end=10.0,
        dts=(0.1,),
        citation=CITATION,
    )


OSCILLATOR = equation(lambda t, u, p, m: (u[1], -u[0]), 2)
FORCED = equation(lambda t, u, p, m: (m.cos(t),))
EXPLOSION = equation(lambda t, u, p, m: (u[0] ** 2,))


def problem(of: Equation, u0: Any, times: Any) -> Problem:
    return Problem(equation=of, u0=np.array(u0, dtype=float), t_save=np.array(times, dtype=float))


def run(p: Problem, method: Any = DOPRI5, rtol: float = 1e-8, **options: Any) -> Solution:
    return solve(p, OneStepSolver(method=method, backend=NumpyBackend()), rtol=rtol, **options)


@pytest.mark.parametrize("method", [DOPRI5, DOP853])
def test_saved_times_are_hit_and_the_error_follows_the_tolerance(method: Any) -> None:
    times = np.array([0.0, 0.1, 0.1001, 3.0, 10.0])
    errors = []
    for rtol in (1e-5, 1e-10):
        solution = run(problem(OSCILLATOR, [[0.0], [1.0]], times), method, rtol)
        errors.append(np.abs(solution.u[:, 0, 0] - np.sin(times)).max())
    assert errors[0] < 1e-3
    assert errors[1] < 1e-8
    assert errors[1] < errors[0] / 1000


def test_evaluations_are_counted_where_the_first_stage_is_reused() -> None:
    p = problem(OSCILLATOR, [[0.0, 1.0], [1.0, 0.0]], [0, 5, 10])
    same = run(p, DOPRI5)
    np.testing.assert_array_equal(same.nfe, 2 + 6 * (same.n_steps + same.n_rejected))
    fresh = run(p, DOP853)
    # Twelve stages of which the first is the derivative at the state, kept over rejections; the first
    # step needs two, and after the last saved time none is evaluated.
    np.testing.assert_array_equal(fresh.nfe, 2 + 11 * (fresh.n_steps + fresh.n_rejected) + fresh.n_steps - 1)


def test_evaluations_are_those_that_happen() -> None:
    calls = [0]

    def counting(t: Any, u: Any, p: Any, m: Any) -> Any:
        calls[0] += 1
        return (-(u[0] ** 3),)

    solution = run(problem(equation(counting), [[2.0]], [0, 1]), DOP853)
    assert calls[0] == solution.nfe[0]


def test_trajectories_do_not_influence_each_other() -> None:
    u0 = np.array([[0.1, 3.0, 1.0], [1.0, -2.0, 0.0]])
    together = run(problem(OSCILLATOR, u0, [0, 1, 7]))
    for i in range(3):
        alone = run(problem(OSCILLATOR, u0[:, i : i + 1], [0, 1, 7]))
        np.testing.assert_array_equal(together.u[:, :, i], alone.u[:, :, 0])
        assert together.nfe[i] == alone.nfe[0]


def test_time_dependence_is_seen_at_the_stages() -> None:
    solution = run(problem(FORCED, [[0.0]], [0, 2]), rtol=1e-10)
    assert solution.u[-1, 0, 0] == pytest.approx(np.sin(2), abs=1e-9)


def test_a_short_saving_interval_does_not_shrink_later_steps() -> None:
    coarse = run(problem(OSCILLATOR, [[0.0], [1.0]], [0, 10]))
    with_clipping = run(problem(OSCILLATOR, [[0.0], [1.0]], [0, 5, 5 + 1e-9, 10]))
    assert with_clipping.n_steps[0] <= coarse.n_steps[0] + 3


def test_the_last_two_steps_before_a_saved_time_are_alike() -> None:
    seen: list[float] = []

    def watched(t: Any, u: Any, p: Any, m: Any) -> Any:
        seen.append(float(np.ravel(t)[0]))
        return (0.3 * u[0],)

    times = np.arange(0.0, 6.0, 1.0)
    solution = run(problem(equation(watched), [[1.0]], times), rtol=1e-8)
    assert solution.n_rejected[0] == 0
    # The last stage of an accepted step is at its end; before the first step, two evaluations.
    ends = np.array([0.0, *seen[2 + 5 :: 6]])
    counts = []
    for begin, end in pairwise(times):
        lengths = np.diff(ends[(ends >= begin - 1e-12) & (ends <= end + 1e-12)])
        counts.append(len(lengths))
        assert len(lengths) == 1 or lengths[-1] == pytest.approx(lengths[-2], rel=1e-9)
    assert max(counts) > 1, counts


def test_rejections_are_counted_and_cost_evaluations() -> None:
    def pulse(t: Any, u: Any, p: Any, m: Any) -> Any:
        return (m.exp(-(((t - 5) / 0.3) ** 2)),)

    solution = run(problem(equation(pulse), [[1.0]], [0, 4, 10]), rtol=1e-6)
    assert solution.n_rejected[0] > 0
    assert solution.u[-1, 0, 0] - 1 == pytest.approx(0.3 * np.sqrt(np.pi), rel=1e-3)


def test_blow_up_is_given_up_alone_and_reported() -> None:
    # u = 1/(1/u0 - t): explodes at 1/2 and at 100.
    solution = run(problem(EXPLOSION, [[2.0, 0.01]], [0, 0.4, 1]))
    assert np.isfinite(solution.u[:2, 0, 0]).all()
    assert np.isnan(solution.u[2, 0, 0])
    assert solution.u[2, 0, 1] == pytest.approx(1 / 99, rel=1e-6)
    assert "1 given up" in solution.message


def test_too_many_steps_are_given_up() -> None:
    solution = run(problem(OSCILLATOR, [[0.0], [1.0]], [0, 1, 10]), rtol=1e-12, max_steps=60)
    assert np.isnan(solution.u[-1]).all()
    assert solution.n_steps[0] + solution.n_rejected[0] == 60
    assert solution.message == "1 given up: more than 60 steps"


def test_nan_initial_state_yields_nan_without_steps() -> None:
    solution = run(problem(OSCILLATOR, [[np.nan, 0.0], [1.0, 1.0]], [0, 1]))
    assert np.isnan(solution.u[:, 0, 0]).all()
    assert solution.n_steps[0] == 0
    assert np.isfinite(solution.u[:, :, 1]).all()


def test_rest_is_reached_in_few_steps() -> None:
    solution = run(problem(equation(lambda t, u, p, m: (0 * u[0],)), [[1.0]], [0, 10]))
    assert solution.u[-1, 0, 0] == 1.0
    assert solution.n_steps[0] < 20


def test_single_precision_stays_single() -> None:
    p = problem(OSCILLATOR, [[0.0], [1.0]], [0, 1])
    solution = solve_adaptive(p, DOPRI5, Adaptive(rtol=1e-5, atol=1e-5), np.float32)
    assert solution.u.dtype == np.float32
    assert solution.u[-1, 0, 0] == pytest.approx(np.sin(1), abs=1e-4)


def test_the_problem_may_have_no_time_to_go() -> None:
    solution = run(problem(OSCILLATOR, [[0.0], [1.0]], [0.0]))
    assert solution.u.shape == (1, 2, 1)
    assert solution.n_steps[0] == 0


def test_methods_without_an_estimate_are_refused() -> None:
    with pytest.raises(AttnsError, match=r"rk4.*no .*error estimate"):
        run(problem(OSCILLATOR, [[0.0], [1.0]], [0, 1]), RK4)


def test_exponents_are_those_of_dopri5() -> None:
    """expo1 = 0.2 - 0.75 * 0.04 and beta = 0.04 in the Fortran code."""
    assert CONTROLLER.exponents(5) == pytest.approx((0.17, 0.04))
    assert DOP853.error_power == 8
    assert DOPRI5.error_power == 5
