"""A fitted force: exact where the force is a polynomial, close where it is smooth, refused where it cannot be."""

import pickle

import numpy as np
import pytest
from attns_plugins.equations.fourier_potential import FOURIER_POTENTIAL
from attns_plugins.equations.henon_heiles import HENON_HEILES
from attns_plugins.equations.lorenz63 import LORENZ63
from attns_plugins.equations.quadrupole_trap import QUADRUPOLE_TRAP
from attns_plugins.methods.srkn11 import SRKN11
from attns_plugins.solvers.fitted_force import FITTED_FORCES

from attns_core import AttnsError, FixedStep, OneStepSolver, Problem, solve
from attns_core.backends.numba_cpu import NumbaBackend

EXACT = OneStepSolver(method=SRKN11, backend=NumbaBackend())
SMOOTH = FOURIER_POTENTIAL.with_params(n_modes=8, roughness=0.5, strength=0.05)


def test_a_polynomial_force_is_recovered() -> None:
    problem, lessons = (Problem.sample(HENON_HEILES, n=40, seed=s, t_end=10.0, save_every=5.0) for s in (1, 2))
    trained = FITTED_FORCES[0].train(lessons, FixedStep(0.25))
    got, expected = (solve(problem, solver, dt=0.25).u for solver in (trained, EXACT))
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_the_error_falls_with_the_degree() -> None:
    problem, lessons = (Problem.sample(SMOOTH, n=60, seed=s, t_end=20.0, save_every=4.0) for s in (2, 3))
    expected = solve(problem, EXACT, dt=0.25).u
    trained = [s.train(lessons, FixedStep(0.25)) for s in FITTED_FORCES]
    errors = [np.sqrt(np.mean((solve(problem, s, dt=0.25).u - expected) ** 2)) for s in trained]
    assert errors[0] < 1e-2
    assert errors[2] < errors[1] < errors[0]


def test_it_has_to_be_trained_first() -> None:
    with pytest.raises(AttnsError, match="train the solver first"):
        solve(Problem.sample(HENON_HEILES, n=2), FITTED_FORCES[0], dt=0.25)


@pytest.mark.parametrize(
    ("equation", "reason"), [(LORENZ63, "separable"), (QUADRUPOLE_TRAP, "depends on time; only positions are fitted")]
)
def test_what_has_no_force_to_fit(equation: object, reason: str) -> None:
    problem = Problem.sample(equation, n=2)  # type: ignore[arg-type]
    assert reason in str(FITTED_FORCES[0].supports(problem, FixedStep(problem.equation.dts[0])))


def test_it_reaches_a_worker() -> None:
    again = pickle.loads(pickle.dumps(FITTED_FORCES[1]))
    assert again.name == "srkn11-fitted-force-7"
    assert again.implementation.degree == 7
