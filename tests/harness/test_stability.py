"""Stability regions measured by one step, against the literature and the stability function."""

import json

import numpy as np
import pytest
from attns_harness.analysis import imaginary_interval, largest_stable_step, real_interval, stability_region
from attns_harness.analysis.stability import dahlquist_equation
from attns_harness.cli import cli
from click.testing import CliRunner

from attns_core import OneStepSolver, Problem, Solution, build_registry
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.control import FixedStep
from attns_core.corrector import TrainedCorrector
from attns_core.reference import Reference
from attns_core.solver import AbstractSolver

REGISTRY = build_registry()


def solver(name, **options):
    return OneStepSolver(method=REGISTRY.method(name), backend=NumpyBackend(), **options)


class ImplicitEuler(AbstractSolver):
    """A black box that is told nothing but the problem."""

    name, tags = "implicit-euler", frozenset()

    def supports(self, problem, control):
        return None if isinstance(control, FixedStep) else "fixed steps only"

    def prepare(self, problem, control):
        A = problem.equation.evaluate(0.0, np.eye(2))
        u1 = np.linalg.solve(np.eye(2) - control.dt * A, problem.u0)
        return lambda: Solution(t=problem.t_save, u=np.stack([problem.u0, u1]), n_steps=1, nfe=1)


def test_intervals_of_rk4_match_the_literature():
    assert real_interval(solver("rk4")) == pytest.approx(2.785294, abs=1e-3)
    assert imaginary_interval(solver("rk4")) == pytest.approx(2 * np.sqrt(2), abs=1e-3)


def test_region_equals_the_stability_function_of_the_tableau():
    z = np.array([[-1 + 1j, -3.0], [0.5j, -2 + 2j]])
    measured = stability_region(solver("rk4"), z)
    assert measured.shape == z.shape
    assert measured == pytest.approx(np.abs(REGISTRY.method("rk4").tableau.stability(z)), rel=1e-12)


def test_black_boxes_are_measured_the_same_way():
    box = ImplicitEuler()
    assert stability_region(box, np.array([-1.0, 3.0])) == pytest.approx([0.5, 0.5])
    assert real_interval(box) == np.inf


def test_a_correction_changes_the_region():
    # C = -S / 2 turns a step u + S into u + S / 2: the interval doubles.
    halve = TrainedCorrector(
        input="S", mean=np.zeros(2), scale=np.ones(2), offset=np.array([[0.0, 0.0], [-0.5, 0.0], [0.0, -0.5]])
    )
    euler = solver("rk4") if "euler" not in REGISTRY.names("method") else solver("euler")
    corrected = OneStepSolver(method=euler.method, backend=NumpyBackend(), corrector=halve)
    z = np.array([-0.7])
    assert stability_region(corrected, z, phases=8) == pytest.approx((1 + stability_region(euler, z)) / 2, rel=1e-12)
    if "euler" in REGISTRY.names("method"):
        assert real_interval(euler) == pytest.approx(2.0, abs=1e-3)
        assert real_interval(corrected) == pytest.approx(4.0, abs=1e-3)
        assert imaginary_interval(euler) == 0.0


def test_largest_stable_step_by_bisection():
    equation = dahlquist_equation(re=-50.0)
    problem = Problem(equation=equation, u0=np.ones((2, 4)), t_save=np.linspace(0.0, 4.0, 5))
    exact = np.exp(-50.0 * problem.t_save)[:, None, None] * problem.u0
    reference = Reference(
        t=problem.t_save, u=exact, gap=np.zeros((5, 4)), valid_time=np.full(4, 4.0), integrators=("exact", "exact"),
        seconds=0.0,
    )  # fmt: skip
    found = largest_stable_step(problem, solver("rk4"), reference)
    assert found == pytest.approx(2.785 / 50, rel=0.05)
    assert largest_stable_step(problem, solver("rk4"), reference, most_steps=8) is None


def test_the_command_prints_intervals_and_the_largest_stable_step():
    arguments = ["stability", "rk4", "--equation", "henon-heiles", "--trajectories", "2", "--t-end", "4", "--json"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.exception is None, done.output
    found = json.loads(done.output)
    assert found["real_interval"] == pytest.approx(2.785, abs=1e-3)
    assert 0.1 < found["largest_stable_step"] <= 2.0
