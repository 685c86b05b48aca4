"""What every solver is held to, whether it is a method on a backend or a black box."""

import os
import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from attns_core.backend import PreparedSolve
from attns_core.black_box import BlackBoxSolver
from attns_core.control import Adaptive, FixedStep, StepControl
from attns_core.errors import AttnsError
from attns_core.learned_state import load_learned, save_learned
from attns_core.problem import Problem
from attns_core.solver import AbstractSolver
from attns_core.testing import problems
from attns_core.testing.kit import CheckFailure, CheckSkipped, Context, check, require
from attns_core.testing.worker import in_worker
from attns_core.types import Array

FIXED = FixedStep(0.0625)
ADAPTIVE = Adaptive(rtol=1e-5, atol=1e-7)


@check("solver")
def check_refusals(solver: AbstractSolver, context: Context) -> None:
    """``supports`` returns None or a reason, and ``prepare`` refuses what is not supported."""
    for problem in (problems.curved(), problems.oscillator()):
        for control in (FIXED, ADAPTIVE):
            reason = solver.supports(problem, control)
            require(
                reason is None or (isinstance(reason, str) and reason.strip()),
                f"supports() must return None or a reason to read, got {reason!r}",
            )
            if reason is not None:
                _refused(solver, problem, control)


def _refused(solver: AbstractSolver, problem: Problem, control: StepControl) -> None:
    try:
        solver.prepare(problem, control)
    except AttnsError:
        return
    raise CheckFailure("prepare() must raise AttnsError for what supports() refuses")


@check("solver")
def check_shapes_and_times(solver: AbstractSolver, context: Context) -> None:
    """States are ``(n_save, dim, n)`` at exactly the times asked for, starting with the initial state."""
    for problem, control in _cases(solver):
        solution = _prepared(solver, problem, control)()
        expected = (problem.t_save.size, problem.equation.dim, problem.n)
        require(solution.u.shape == expected, f"states have shape {solution.u.shape}, expected {expected}")
        require(np.array_equal(solution.t, problem.t_save), "times differ from problem.t_save")
        first = problem.u0.astype(solution.u.dtype)
        require(np.array_equal(solution.u[0], first), "the first saved state is not the initial state")
        require(solution.finite.all(), "states of a harmless problem are not finite")


@check("solver")
def check_dtype(solver: AbstractSolver, context: Context) -> None:
    """States have the solver's dtype (float64 unless it says otherwise)."""
    wanted = getattr(solver, "dtype", "float64")
    for problem, control in _cases(solver):
        got = _prepared(solver, problem, control)().u.dtype
        require(str(got) == wanted, f"states are {got}, expected {wanted}")


@check("solver")
def check_determinism(solver: AbstractSolver, context: Context) -> None:
    """Solving again, prepared once or anew, gives the same bits."""
    for problem, control in _cases(solver):
        run = _prepared(solver, problem, control)
        first = run().u.copy()
        require(np.array_equal(first, run().u), "calling the prepared solve twice gives different states")
        require(np.array_equal(first, _prepared(solver, problem, control)().u), "preparing anew gives different states")


@check("solver")
def check_purity(solver: AbstractSolver, context: Context) -> None:
    """Inputs, random generators, working directory, environment and NumPy's settings are left alone."""
    for problem, control in _cases(solver):
        u0, t_save = problem.u0.copy(), problem.t_save.copy()
        with _unchanged_globals():
            solution = _prepared(solver, problem, control)()
        require(np.array_equal(u0, problem.u0) and not problem.u0.flags.writeable, "the initial states were changed")
        require(np.array_equal(t_save, problem.t_save), "the saving times were changed")
        require(not np.shares_memory(solution.u, problem.u0), "the solution shares memory with the problem")


@check("solver")
def check_accuracy(solver: AbstractSolver, context: Context) -> None:
    """The error falls with the step or the tolerance, at the claimed order where there is one."""
    for problem, control in _cases(solver):
        if isinstance(control, FixedStep):
            _falls_with_step(solver, problem)
        else:
            _falls_with_tolerance(solver, problem)


def _falls_with_step(solver: AbstractSolver, problem: Problem) -> None:
    dts = np.array([0.25, 0.125, 0.0625, 0.03125])
    errors = np.array([_error(solver, problem, FixedStep(dt)) for dt in dts])
    floor = 1e-5 if getattr(solver, "dtype", "float64") == "float32" else 1e-12
    above = errors > 10 * floor
    if above.sum() < 2:
        return
    order = _claimed_order(solver)
    slopes = np.diff(np.log(errors[above])) / np.diff(np.log(dts[above]))
    if order is None:
        require(slopes[-1] > 0.5, f"the error does not fall with the step: {_list(errors)} for dt {_list(dts)}")
    else:
        require(slopes[-1] > order - 0.4, f"observed order {slopes[-1]:.2f}, claimed {order} (errors {_list(errors)})")


def _falls_with_tolerance(solver: AbstractSolver, problem: Problem) -> None:
    for rtol in (1e-4, 1e-7):
        error = _error(solver, problem, Adaptive(rtol=rtol, atol=rtol))
        require(error < 200 * rtol, f"error {error:.1e} at rtol {rtol:g}: more than 200 times the tolerance")


@check("solver")
def check_zero_length(solver: AbstractSolver, context: Context) -> None:
    """With one saving time the solution is the initial state."""
    for problem, control in _cases(solver):
        short = replace(problem, t_save=problem.t_save[:1])
        solution = _prepared(solver, short, control)()
        require(solution.u.shape == (1, *problem.u0.shape), f"states have shape {solution.u.shape}")
        require(np.array_equal(solution.u[0], problem.u0.astype(solution.u.dtype)), "the initial state was changed")


@check("solver")
def check_batch_of_one(solver: AbstractSolver, context: Context) -> None:
    """A trajectory does not depend on those it is solved with (adaptive: within the tolerance)."""
    for problem, control in _cases(solver):
        whole = _prepared(solver, problem, control)().u
        one = _prepared(solver, replace(problem, u0=problem.u0[:, 1:2]), control)().u
        single = whole.dtype == np.float32
        within = 1e-5 if single else (300 * control.rtol if isinstance(control, Adaptive) else 1e-12)
        gap = float(np.abs(whole[:, :, 1:2] - one).max())
        require(gap <= within, f"trajectory 1 alone differs by {gap:.1e} from itself in a batch")


@check("solver")
def check_divergence(solver: AbstractSolver, context: Context) -> None:
    """A solution that leaves every bound is returned, not raised, and other calls are not affected."""
    problem = problems.blow_up()
    for control in _controls(solver, problem):
        solution = _prepared(solver, problem, _limited(control))()
        expected = (problem.t_save.size, problem.equation.dim, problem.n)
        require(solution.u.shape == expected, f"states have shape {solution.u.shape}, expected {expected}")
        require(np.isfinite(solution.u[1]).all(), "states are lost long before the solution diverges")


@check("solver")
def check_nan_input(solver: AbstractSolver, context: Context) -> None:
    """A NaN in one initial state stays in its trajectory and raises nothing."""
    for problem, control in _cases(solver):
        u0 = problem.u0.copy()
        u0[0, 1] = np.nan
        solution = _prepared(solver, replace(problem, u0=u0), _limited(control))()
        require(np.isnan(solution.u[-1, 0, 1]), "NaN became a number")
        others = solution.u[:, :, [0, 2]]
        require(np.isfinite(others).all(), "NaN spread to other trajectories")


@check("solver")
def check_counters(solver: AbstractSolver, context: Context) -> None:
    """Counters are whole numbers, and plausible where they are kept (-1: not kept)."""
    for problem, control in _cases(solver):
        solution = _prepared(solver, problem, control)()
        for name in ("n_steps", "nfe", "n_corrector", "n_rejected"):
            value = getattr(solution, name)
            require(value.shape == (problem.n,) and (value >= -1).all(), f"{name} is {value!r}")
        # A learned flow map evaluates no right-hand side at all.
        counted = (solution.n_steps >= 0) & (solution.nfe > 0)
        require((solution.nfe[counted] >= solution.n_steps[counted]).all(), "fewer right-hand sides than steps")
        if isinstance(control, FixedStep) and (solution.n_steps >= 0).all():
            steps = int(problem.steps_per_save(control).sum())
            require((solution.n_steps == steps).all(), f"{solution.n_steps[0]} steps, the time span has {steps}")


@check("solver")
def check_pickling(solver: AbstractSolver, context: Context) -> None:
    """It reaches a worker process and solves there as here."""
    for problem, control in _cases(solver):
        try:
            payload = pickle.dumps((_ready(solver, problem, control), problem, control))
        except Exception as error:
            raise CheckFailure(f"it cannot be pickled: {error}; define it at the top level of a module") from error
        here = _prepared(solver, problem, control)().u
        there = in_worker(context.plugin_files, _solve_pickled, payload)
        require(np.array_equal(here, there), "a worker process gets other states")
        return


@check("solver")
def check_trained_round_trip(solver: AbstractSolver, context: Context) -> None:
    """A trained solver solves the same after pickling and after its weights were stored, and from one seed again."""
    if not isinstance(solver, BlackBoxSolver) or not solver.trainable:
        raise CheckSkipped("nothing to train")
    problem, control = next(_cases(solver))
    trained = solver.train(problem, control, seed=0)
    states = trained.prepare(problem, control)().u

    def same(other: BlackBoxSolver) -> bool:
        return np.array_equal(states, other.prepare(problem, control)().u, equal_nan=True)

    require(same(pickle.loads(pickle.dumps(trained))), "its weights do not survive pickling")
    with TemporaryDirectory() as folder:
        save_learned(folder, trained, {})
        require(same(load_learned(folder, solver)[0]), "its weights do not survive being stored")
    require(same(solver.train(problem, control, seed=0)), "training again with one seed gives other weights")


def _solve_pickled(payload: bytes) -> Array:
    solver, problem, control = pickle.loads(payload)
    return solver.prepare(problem, control)().u


def _ready(solver: AbstractSolver, problem: Problem, control: StepControl) -> AbstractSolver:
    """The solver; where it has to learn, trained on eight other initial states over a quarter of the time.

    By then nothing has diverged.
    """
    if not isinstance(solver, BlackBoxSolver) or not solver.trainable:
        return solver
    lessons = Problem.sample(problem.equation, n=8, seed=1)
    return solver.train(replace(lessons, t_save=lessons.t_save[: max(2, lessons.t_save.size // 4)]), control, seed=0)


def _prepared(solver: AbstractSolver, problem: Problem, control: StepControl) -> PreparedSolve:
    return _ready(solver, problem, control).prepare(problem, control)


def _cases(solver: AbstractSolver) -> Iterator[tuple[Problem, StepControl]]:
    """One supported problem with every kind of control that is supported.

    Raises
    ------
    CheckSkipped
        If nothing is supported, with the solver's own reason.
    """
    reasons: list[str] = []
    for control in (FIXED, ADAPTIVE):
        for problem in (problems.curved(), problems.oscillator()):
            reason = solver.supports(problem, control)
            if reason is None:
                yield problem, control
                break
            reasons.append(reason)
    if len(reasons) == 4:
        raise CheckSkipped("; ".join(dict.fromkeys(reasons)))


def _controls(solver: AbstractSolver, problem: Problem) -> Iterator[StepControl]:
    reasons = {control: solver.supports(problem, control) for control in (FIXED, ADAPTIVE)}
    if all(reasons.values()):
        raise CheckSkipped("; ".join(dict.fromkeys(r for r in reasons.values() if r)))
    yield from (control for control, reason in reasons.items() if reason is None)


def _limited(control: StepControl) -> StepControl:
    return replace(control, max_steps=2000) if isinstance(control, Adaptive) else control


def _claimed_order(solver: AbstractSolver) -> int | None:
    method = getattr(solver, "method", None)
    return getattr(solver, "order", None) if method is None else method.order


def _error(solver: AbstractSolver, problem: Problem, control: StepControl) -> float:
    solution = _prepared(solver, problem, control)()
    return float(np.abs(solution.u - problems.exact_states(problem)).max())


def _list(values: Array) -> str:
    return ", ".join(f"{v:.2g}" for v in values)


def _global_state() -> dict[str, Callable[[], Any]]:
    return {
        "the working directory": Path.cwd,
        "the environment": lambda: dict(os.environ),
        "Python's random generator": random.getstate,
        "NumPy's random generator": lambda: repr(np.random.get_state()),
        "NumPy's error handling": np.geterr,
    }


@contextmanager
def _unchanged_globals() -> Iterator[None]:
    probes = _global_state()
    before = {name: probe() for name, probe in probes.items()}
    yield
    for name, probe in probes.items():
        require(probe() == before[name], f"{name} was changed")
