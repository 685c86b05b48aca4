"""Adaptive methods deliver what the tolerance asks for, over the list of equations."""

import numpy as np
import pytest
from attns_plugins.equations import EQUATIONS
from attns_plugins.methods import METHODS

from attns_core import Equation, OneStepSolver, Problem, solve
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.integrators import taylor
from attns_core.reference import component_scale

SMOOTH = [e for e in EQUATIONS if not e.tags & {"stiff", "non-smooth", "events"}]
EMBEDDED = [m for m in METHODS if m.is_adaptive and "stiff" not in m.tags]


@pytest.mark.parametrize("equation", SMOOTH, ids=[e.name for e in SMOOTH])
def test_error_within_factor_50_of_the_tolerance(equation: Equation) -> None:
    """Over the first tenth of the span: how fast errors grow beyond it is the equation's, not the method's."""
    span = (equation.t_end - equation.t0) / 10
    problem = Problem.sample(equation, n=2, seed=1, t_end=equation.t0 + span, save_every=span / 2)
    exact = taylor.integrate(problem, 1e-13)
    scale = component_scale(exact)
    # The smallest component counts as well.
    atol = 1e-6 * max(float(scale.min()), 1e-6 * float(scale.max()))
    ratios = {}
    for method in EMBEDDED:
        solution = solve(problem, OneStepSolver(method=method, backend=NumpyBackend()), rtol=1e-6, atol=atol)
        error = np.sqrt(np.mean(((solution.u[1:] - exact[1:]) / scale[:, None]) ** 2))
        ratios[method.name] = float(error / 1e-6)
    assert all(ratio <= 50 for ratio in ratios.values()), ratios
