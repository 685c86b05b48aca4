"""Bad numbers and bad right-hand sides: one readable error with the value and the remedy, before any step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from attns_plugins.methods.rk4 import RK4
from attns_plugins.methods.stormer_verlet import STORMER_VERLET
from attns_plugins.methods.yoshida4 import YOSHIDA4

from attns_core import AttnsError, Citation, Equation, OneStepSolver, Problem, Splitting, solve
from attns_core.backends.numpy_reference import NumpyBackend

CITATION = Citation(key="none", authors="N. N.", title="None", where="Nowhere", year=2000)
SOLVER = OneStepSolver(method=RK4, backend=NumpyBackend())


def equation(rhs: Any = lambda t, u, p, m: (u[1], -u[0]), **fields: Any) -> Equation:
    given: dict[str, Any] = {
        "name": "oscillator",
        "title": "Test",
        "description": "Test",
        "rhs": rhs,
        "components": ("x", "v"),
        "sample": lambda p, rng, n: rng.uniform(0.5, 1.5, (2, n)),
        "t_end": 1.0,
        "dts": (0.1,),
        "citation": CITATION,
    }
    return Equation(**(given | fields))


@pytest.mark.parametrize("dt", [0.0, -0.1, float("nan"), float("inf")])
def test_steps_must_be_positive(dt: float) -> None:
    with pytest.raises(AttnsError, match=rf"dt must be a positive number, got {dt!r}"):
        solve(Problem.sample(equation()), SOLVER, dt=dt)


@pytest.mark.parametrize(("rtol", "atol"), [(0.0, None), (-1.0, None), (1e-6, 0.0), (float("nan"), 1e-6)])
def test_tolerances_must_be_positive(rtol: float, atol: float | None) -> None:
    with pytest.raises(AttnsError, match="tol must be a positive number, got"):
        solve(Problem.sample(equation()), SOLVER, rtol=rtol, atol=atol)


def test_steps_must_divide_the_saving_interval() -> None:
    with pytest.raises(AttnsError, match=r"dt=0.03 does not divide the saving interval 0.1; nearest that does: 0.0333"):
        solve(Problem.sample(equation()), SOLVER, dt=0.03)


def test_either_steps_or_tolerances() -> None:
    for given in ({}, {"dt": 0.1, "rtol": 1e-6}):
        with pytest.raises(AttnsError, match=r"either dt .*, rtol .*, steps .* or frozen"):
            solve(Problem.sample(equation()), SOLVER, **given)


@pytest.mark.parametrize("t_end", [0.0, -1.0, float("nan"), float("inf")])
def test_the_end_must_come_after_the_beginning(t_end: float) -> None:
    with pytest.raises(AttnsError, match=r"t_end must be after t0=0"):
        Problem.sample(equation(), t_end=t_end)
    with pytest.raises(AttnsError, match=r"'oscillator': t_end must be after t0=0"):
        equation(t_end=t_end)


@pytest.mark.parametrize("save_every", [0.0, -0.1, float("nan"), 0.3])
def test_saving_intervals_must_fit(save_every: float) -> None:
    with pytest.raises(AttnsError, match="save_every"):
        Problem.sample(equation(), save_every=save_every)


@pytest.mark.parametrize(
    ("u0", "t_save", "message"),
    [
        (np.zeros((3, 1)), [0.0, 1.0], r"has 2 components \('x', 'v'\), initial states have shape \(3, 1\)"),
        (np.zeros((2, 0)), [0.0, 1.0], "at least one trajectory, got a batch of 0"),
        (np.zeros((2, 1, 1)), [0.0, 1.0], "expected .dim, n."),
        (np.zeros((2, 1)), [0.0, 1.0, 1.0], "strictly increasing"),
        (np.zeros((2, 1)), [0.0, np.nan], "finite times"),
        (np.zeros((2, 1)), [], "finite times"),
    ],
)
def test_states_and_times_must_have_their_shapes(u0: Any, t_save: Any, message: str) -> None:
    with pytest.raises(AttnsError, match=message):
        Problem(equation=equation(), u0=u0, t_save=np.array(t_save))


def raising(t: Any, u: Any, p: Any, m: Any) -> Any:
    raise ZeroDivisionError("no gravity")


def too_many(t: Any, u: Any, p: Any, m: Any) -> Any:
    return u[1], -u[0], u[0]


@pytest.mark.parametrize(
    ("rhs", "message"),
    [
        (raising, r"'oscillator': its right-hand side raised ZeroDivisionError: no gravity"),
        (too_many, r"'oscillator': its right-hand side returned 3 components, the state has 2"),
    ],
)
@pytest.mark.parametrize("control", [{"dt": 0.1}, {"rtol": 1e-6}])
def test_bad_right_hand_sides_are_named(rhs: Callable[..., Any], message: str, control: dict[str, float]) -> None:
    from attns_plugins.methods.dopri5 import DOPRI5

    with pytest.raises(AttnsError, match=message):
        solve(Problem.sample(equation(rhs)), OneStepSolver(method=DOPRI5, backend=NumpyBackend()), **control)


def test_splittings_say_what_they_need() -> None:
    damped = Problem.sample(equation(lambda t, u, p, m: (u[1], -u[0] - u[1])))
    verlet = OneStepSolver(method=STORMER_VERLET, backend=NumpyBackend())
    with pytest.raises(AttnsError, match="stormer-verlet needs a separable system"):
        solve(damped, verlet, dt=0.1)
    with pytest.raises(AttnsError, match="no embedded error estimate; give a fixed dt"):
        solve(Problem.sample(equation()), verlet, rtol=1e-6)


@pytest.mark.parametrize(
    ("drift", "kick", "message"),
    [
        ([0.5, 0.5], [0.5, 0.5], "2 drifts need 3 kicks, got 2"),
        ([], [1.0], "0 drifts need"),
        ([0.9], [0.5, 0.5], "drift coefficients sum to 0.9, must be 1"),
        ([1.0], [0.5, 0.6], "kick coefficients sum to 1.1, must be 1"),
    ],
)
def test_splittings_must_be_consistent(drift: Any, kick: Any, message: str) -> None:
    with pytest.raises(AttnsError, match=message):
        Splitting(name="x", title="x", order=2, drift=drift, kick=kick, citation=YOSHIDA4.citation)


def test_orders_start_at_one() -> None:
    with pytest.raises(AttnsError, match="order must be at least 1, got 0"):
        Splitting(name="x", title="x", order=0, drift=[1.0], kick=[0.5, 0.5], citation=YOSHIDA4.citation)


def test_precisions_are_two() -> None:
    with pytest.raises(AttnsError, match=r"dtype must be one of .* got 'float16'"):
        OneStepSolver(method=RK4, backend=NumpyBackend(), dtype="float16")
