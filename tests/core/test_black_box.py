"""Black boxes: a decorated function or class is a solver; what it returns is checked."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attns_core import AttnsError, BlackBoxSolver, Problem, Solution, black_box, build_registry, solve
from attns_core.black_box import NOT_COUNTED


@black_box(name="ten-line-euler", control="fixed", tags=("example",))
def ten_line_euler(problem: Any, control: Any) -> Any:
    """Explicit Euler."""
    f, u = problem.rhs("numpy"), problem.u0.copy()
    states = [u]
    for t, n in zip(problem.t_save, problem.steps_per_save(control), strict=False):
        for i in range(n):
            u = u + control.dt * f(t + i * control.dt, u)
        states.append(u)
    return states


@black_box(name="exact-decay", control="any")
class ExactDecay:
    """Shifts the initial state by the time: has set-up, a refusal and something to train."""

    def __init__(self) -> None:
        self.prepared = 0
        self.shift = 0.0

    def supports(self, problem: Any, control: Any) -> str | None:
        return "only one trajectory" if problem.n > 1 else None

    def prepare(self, problem: Any, control: Any) -> Any:
        self.prepared += 1
        return lambda: problem.u0[None] + (self.shift + problem.t_save[:, None, None])

    def train(self, problem: Any, control: Any, *, seed: int) -> Any:
        trained = type(self)()
        trained.shift = float(seed)
        return trained


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem.sample(build_registry().equation("lorenz-63"), n=3, t_end=0.2, save_every=0.05)


def test_a_decorated_function_is_a_solver(problem: Problem) -> None:
    assert isinstance(ten_line_euler, BlackBoxSolver)
    assert ten_line_euler.title == "Explicit Euler."
    solution = solve(problem, ten_line_euler, dt=0.0125)
    f, u = problem.rhs("numpy"), problem.u0
    for i in range(16):
        u = u + 0.0125 * f(0.0125 * i, u)
    np.testing.assert_array_equal(solution.u[-1], u)
    assert solution.nfe.tolist() == [NOT_COUNTED] * 3


def test_the_declared_control_is_enforced(problem: Problem) -> None:
    with pytest.raises(AttnsError, match="ten-line-euler takes fixed steps; give dt"):
        solve(problem, ten_line_euler, rtol=1e-6)
    adaptive = black_box(name="a", control="adaptive")(lambda problem, control: None)
    with pytest.raises(AttnsError, match="chooses its own steps; give rtol"):
        solve(problem, adaptive, dt=0.1)


def test_a_class_prepares_once_and_may_refuse(problem: Problem) -> None:
    with pytest.raises(AttnsError, match=r"exact-decay on lorenz-63: only one trajectory"):
        solve(problem, ExactDecay, rtol=1e-3)
    one = Problem(equation=problem.equation, u0=problem.u0[:, 0], t_save=problem.t_save)
    run = ExactDecay.prepare(one, _control())
    np.testing.assert_array_equal(run().u, run().u)
    assert ExactDecay.implementation.prepared == 1


def test_a_class_may_train(problem: Problem) -> None:
    one = Problem(equation=problem.equation, u0=problem.u0[:, 0], t_save=problem.t_save)
    trained = ExactDecay.train(one, _control(), seed=7)
    assert solve(one, trained, rtol=1e-3).u[0, 0, 0] == one.u0[0, 0] + 7
    assert solve(one, ExactDecay, rtol=1e-3).u[0, 0, 0] == one.u0[0, 0]
    assert not ten_line_euler.trainable
    with pytest.raises(AttnsError, match="nothing to train"):
        ten_line_euler.train(one, _control())


def test_per_trajectory_results_are_joined(problem: Problem) -> None:
    seen: list[int] = []

    @black_box(name="one-by-one", per_trajectory=True)
    def one_by_one(problem: Any, control: Any) -> Any:
        seen.append(problem.n)
        u = np.repeat(problem.u0[None, :, 0], problem.t_save.size, axis=0)
        return Solution(t=problem.t_save, u=u[:, :, None], n_steps=len(seen), nfe=4)

    solution = solve(problem, one_by_one, rtol=1e-3)
    np.testing.assert_array_equal(solution.u[2], problem.u0)
    assert seen == [1, 1, 1]
    assert solution.n_steps.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.zeros((2, 3, 3)), r"shape \(2, 3, 3\), expected \(n_save, dim, n\) = \(5, 3, 3\)"),
        (np.zeros((5, 3, 3), dtype=int), "returned int64, expected float64 or float32"),
        ([np.zeros((3, 3)), np.zeros(2)], "rows of unequal shape"),
        (None, "returned object"),
    ],
)
def test_what_it_returns_is_checked(problem: Problem, result: Any, message: str) -> None:
    broken = black_box(name="broken")(lambda problem, control: result)
    with pytest.raises(AttnsError, match=message):
        solve(problem, broken, rtol=1e-3)


def test_a_solution_for_other_times_is_refused(problem: Problem) -> None:
    def late(problem: Any, control: Any) -> Solution:
        return Solution(t=problem.t_save + 1, u=np.zeros((5, 3, 3)), n_steps=1, nfe=1)

    with pytest.raises(AttnsError, match="other times than it was asked for"):
        solve(problem, black_box(name="late")(late), rtol=1e-3)


def test_decorated_things_survive_pickling(problem: Problem) -> None:
    assert pickle.loads(pickle.dumps(ten_line_euler)) is ten_line_euler
    assert pickle.loads(pickle.dumps(ExactDecay)) is ExactDecay
    one = Problem(equation=problem.equation, u0=problem.u0[:, 0], t_save=problem.t_save)
    trained = pickle.loads(pickle.dumps(ExactDecay.train(one, _control(), seed=7)))
    assert trained.implementation.shift == 7.0
    assert ExactDecay.implementation.shift == 0.0
    for solver in (ExactDecay, ten_line_euler):
        renamed = pickle.loads(pickle.dumps(replace(solver, name="renamed")))
        assert (renamed.name, renamed.implementation) == ("renamed", solver.implementation)


def test_nothing_is_asked_of_it_that_has_no_answer(problem: Problem) -> None:
    seen: list[int] = []

    @black_box(name="counts-lanes")
    def counts_lanes(problem: Any, control: Any) -> Any:
        seen.append(problem.n)
        return np.repeat(problem.u0[None], problem.t_save.size, axis=0)

    u0 = problem.u0.copy()
    u0[1, 1] = np.nan
    solution = solve(Problem(equation=problem.equation, u0=u0, t_save=problem.t_save), counts_lanes, rtol=1e-3)
    assert seen == [2]
    assert np.isnan(solution.u[1:, :, 1]).all()
    np.testing.assert_array_equal(solution.u[:, :, 2], np.repeat(u0[None, :, 2], 5, axis=0))
    solve(Problem(equation=problem.equation, u0=u0, t_save=problem.t_save[:1]), counts_lanes, rtol=1e-3)
    assert seen == [2]


def test_what_cannot_solve_is_refused() -> None:
    class Nothing:
        pass

    with pytest.raises(AttnsError, match="give a function, or a class with a method solve or prepare"):
        black_box(name="nothing")(Nothing)


def _control() -> Any:
    from attns_core import Adaptive

    return Adaptive(rtol=1e-3, atol=1e-3)
