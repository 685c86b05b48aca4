"""Coulomb friction: two independent event-driven integrators, the lane-block solver, and maps of one period."""

import numpy as np
import pytest
from attns_plugins.equations.stick_slip import STICK_SLIP
from attns_plugins.equations.stick_slip_coulomb import STICK_SLIP_COULOMB
from attns_plugins.solvers.stick_slip_events import STICK_SLIP_EVENTS

from attns_core import Adaptive, AttnsError, FixedStep, Problem, solve
from attns_core.reference import make_reference

PERIOD = 2 * np.pi / 1.1


def problem(masses: int, n: int = 40, periods: int = 3) -> Problem:
    equation = STICK_SLIP_COULOMB.with_params(masses=masses)
    return Problem(equation=equation, u0=equation.initial_states(7, n), t_save=PERIOD * np.arange(periods + 1))


@pytest.mark.parametrize("masses", [1, 2])
def test_two_integrators_agree_to_round_off(masses: int) -> None:
    reference = make_reference(problem(masses))
    assert reference.uncertainty < 1e-11
    assert reference.integrators[0] != reference.integrators[1]
    belt = STICK_SLIP_COULOMB.p.belt
    speeds = reference.u[1:, masses:]
    # Some masses stick at a saved time, exactly at the belt's speed, some slip.
    assert 0.05 < np.mean(speeds == belt) < 0.95


@pytest.mark.parametrize("masses", [1, 2])
def test_the_error_falls_with_the_scan_step(masses: int) -> None:
    asked = problem(masses, n=200)
    truth = make_reference(asked).u
    errors = [np.sqrt(np.mean((solve(asked, STICK_SLIP_EVENTS, dt=PERIOD / n).u - truth) ** 2)) for n in (10, 40, 160)]
    assert errors[0] < 5e-3
    assert errors[1] < errors[0] / 5
    assert errors[2] < errors[1]


def test_lanes_do_not_depend_on_each_other() -> None:
    asked = problem(2, n=37)
    whole = solve(asked, STICK_SLIP_EVENTS, dt=PERIOD / 16)
    alone = solve(
        Problem(equation=asked.equation, u0=asked.u0[:, 33:34], t_save=asked.t_save), STICK_SLIP_EVENTS, dt=PERIOD / 16
    )
    np.testing.assert_array_equal(whole.u[:, :, 33:34], alone.u)
    assert whole.extra["events"] > 37


def test_uneven_saving_times() -> None:
    asked = problem(2)
    uneven = Problem(equation=asked.equation, u0=asked.u0, t_save=PERIOD * np.array([0.0, 0.4, 1.7, 3.0]))
    got = STICK_SLIP_EVENTS.prepare(uneven, Adaptive(rtol=1e-12, atol=1e-12))()
    np.testing.assert_allclose(got.u[-1], make_reference(asked).u[-1], atol=2e-2)
    assert np.median(np.abs(got.u[-1] - make_reference(asked).u[-1])) < 1e-12


def test_the_limit_of_a_steep_tangent() -> None:
    """The smooth friction law approaches Coulomb's as its width goes to zero."""
    from scipy.integrate import solve_ivp

    coulomb = problem(1, n=3, periods=1)
    truth = make_reference(coulomb).u[-1]
    gaps = []
    for eps in (1e-2, 1e-3):
        smooth = STICK_SLIP.with_params(eps=eps)
        ends = [
            solve_ivp(
                lambda t, u, e=smooth: e.evaluate(t, u[:, None])[:, 0], (0, PERIOD), u0, "Radau", rtol=1e-8, atol=1e-10
            ).y[:, -1]
            for u0 in coulomb.u0.T
        ]
        gaps.append(np.abs(np.array(ends).T - truth).max())
    assert gaps[1] < gaps[0] / 3
    assert gaps[1] < 1e-2


def test_what_it_does_not_solve() -> None:
    smooth = Problem(equation=STICK_SLIP, u0=np.zeros((2, 1)), t_save=[0.0, 1.0])  # type: ignore[arg-type]
    assert "stick-slip-coulomb alone" in str(STICK_SLIP_EVENTS.supports(smooth, FixedStep(0.1)))
    assert "one and two masses, not 3" in str(STICK_SLIP_EVENTS.supports(problem(3), FixedStep(0.1)))
    with pytest.raises(AttnsError, match="too long for its series"):
        solve(problem(1, periods=1), STICK_SLIP_EVENTS, dt=PERIOD)
