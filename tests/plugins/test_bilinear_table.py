"""Maps over a step as tables: exact for affine maps, second order in the cells, refused where there is no one map."""

import numpy as np
import pytest
from attns_plugins.equations.damped_oscillator import DAMPED_OSCILLATOR
from attns_plugins.equations.driven_oscillator import DRIVEN_OSCILLATOR
from attns_plugins.equations.lorenz63 import LORENZ63
from attns_plugins.equations.stick_slip_coulomb import STICK_SLIP_COULOMB
from attns_plugins.solvers.bilinear_table import BILINEAR_TABLES
from attns_plugins.solvers.stick_slip_events import STICK_SLIP_EVENTS

from attns_core import AttnsError, FixedStep, Problem, solve


def test_an_affine_map_is_exact() -> None:
    problem, lessons = (Problem.sample(DAMPED_OSCILLATOR, n=20, seed=s, t_end=4.0, save_every=2.0) for s in (1, 2))
    trained = BILINEAR_TABLES[0].train(lessons, FixedStep(1.0), seed=0)
    inside = np.abs(problem.u0).max(axis=0) < 0.9 * np.abs(lessons.u0).max()
    assert DAMPED_OSCILLATOR.exact is not None
    expected = np.stack([DAMPED_OSCILLATOR.exact(t, problem.u0, DAMPED_OSCILLATOR.p) for t in problem.t_save])
    got = solve(problem, trained, dt=1.0).u
    np.testing.assert_allclose(got[:, :, inside], expected[:, :, inside], atol=1e-8)


def test_the_error_of_a_period_map_falls_with_the_cells() -> None:
    period = 2 * np.pi / STICK_SLIP_COULOMB.p.omega
    samples = (Problem.sample(STICK_SLIP_COULOMB, n=100, seed=s, t_end=4 * period, save_every=period) for s in (1, 2))
    problem, lessons = samples
    expected = solve(problem, STICK_SLIP_EVENTS, rtol=1e-8).u
    trained = [table.train(lessons, FixedStep(period), seed=0) for table in BILINEAR_TABLES]
    errors = [np.sqrt(np.mean((solve(problem, t, dt=period).u - expected) ** 2)) for t in trained]
    assert errors[2] < errors[0] / 3
    assert errors[2] < 5e-3


def test_what_has_no_table() -> None:
    table = BILINEAR_TABLES[0]
    assert "has 3" in str(table.supports(Problem.sample(LORENZ63, n=1), FixedStep(0.1)))
    forced = Problem.sample(DRIVEN_OSCILLATOR, n=1)
    assert "depends on time; give whole periods" in str(table.supports(forced, FixedStep(0.1)))
    with pytest.raises(AttnsError, match="train the solver first"):
        solve(Problem.sample(DAMPED_OSCILLATOR, n=1), table, dt=DAMPED_OSCILLATOR.dts[0])
