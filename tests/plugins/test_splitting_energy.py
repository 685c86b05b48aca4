"""Symplectic methods keep the energy error bounded over 100 000 steps of Henon-Heiles; RK4 does not."""

import numpy as np
import pytest
from attns_plugins.equations.henon_heiles import HENON_HEILES
from attns_plugins.methods import METHODS
from attns_plugins.methods.rk4 import RK4

from attns_core import OneStepSolver, Problem, Splitting, solve
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.method import AbstractMethod

STEPS, DT = 100_000, 0.25
SPLITTINGS = [m for m in METHODS if isinstance(m, Splitting)]


def energy_errors(method: AbstractMethod) -> tuple[float, float, float]:
    """Largest error in the first tenth and overall, and the largest mean drift over the whole span."""
    u0 = HENON_HEILES.initial_states(3, 4)
    times = np.arange(0, STEPS + 1, 100) * DT
    solution = solve(
        Problem(equation=HENON_HEILES, u0=u0, t_save=times),
        OneStepSolver(method=method, backend=NumbaBackend()),
        dt=DT,
    )
    energy = np.stack([HENON_HEILES.invariant_values(0.0, u)["energy"] for u in solution.u])
    error = energy - energy[0]
    slopes = np.polyfit(times / times[-1], error, 1)[0]
    tenth = len(times) // 10
    return float(np.abs(error[:tenth]).max()), float(np.abs(error).max()), float(np.abs(slopes).max())


@pytest.mark.parametrize("method", SPLITTINGS, ids=[m.name for m in SPLITTINGS])
def test_energy_error_stays_bounded(method: Splitting) -> None:
    early, overall, drift = energy_errors(method)
    assert overall < 1.3 * early
    assert drift < 0.3 * early


def test_rk4_drifts() -> None:
    early, overall, drift = energy_errors(RK4)
    assert overall > 4 * early
    # All of its error is drift.
    assert drift > 0.5 * overall
