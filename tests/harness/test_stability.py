"""Stability regions measured by one step, against the literature and the stability function."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from attns_harness.analysis import (
    imaginary_interval,
    largest_stable_step,
    prepare,
    real_interval,
    stability_intervals,
    stability_region,
    stable_steps,
)
from attns_harness.analysis.stability import dahlquist_equation
from attns_harness.cli import cli
from click.testing import CliRunner

from attns_core import AttnsError, OneStepSolver, Problem, Solution, build_registry
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.control import FixedStep
from attns_core.reference import Reference
from attns_core.solver import AbstractSolver
from attns_core.trained_corrector import TrainedCorrector

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


@pytest.mark.parametrize(
    ("name", "real", "imaginary"),
    # Hairer, Wanner, Solving Ordinary Differential Equations II, table IV.2.1 and figure IV.2.1; p = s gives
    # the exponential's sections, whose intervals are these.
    [("euler", 2.0, 0.0), ("heun", 2.0, 0.0), ("rk3", 2.51275, 1.73205), ("rk4", 2.78529, 2.82843)],
)
def test_intervals_by_single_steps_and_by_the_stability_function_match_the_literature(name, real, imaginary):
    table = prepare(pd.DataFrame({"equation": ["e"], "solver": [name], "method": [name], "dt": [0.1], "state": ["ok"]}))
    (row,) = stability_intervals(table, REGISTRY).itertuples()
    assert (row.real_interval, row.imaginary_interval) == pytest.approx((real, imaginary), abs=1e-3)
    assert real_interval(solver(name)) == pytest.approx(real, abs=1e-3)
    assert imaginary_interval(solver(name)) == pytest.approx(imaginary, abs=1e-3)


def test_unbounded_intervals_and_methods_that_do_not_apply():
    names = ["rodas4", "stormer-verlet"]
    table = prepare(pd.DataFrame({"equation": "e", "solver": names, "method": names, "dt": 0.1, "state": "ok"}))
    rodas, verlet = stability_intervals(table, REGISTRY).itertuples()
    assert rodas.real_interval == np.inf
    assert np.isnan(verlet.real_interval)
    assert "separable" in verlet[4]


def test_stable_steps_of_a_run_and_by_bisection():
    cells = [("rk4", dt, seed, lost) for dt, lost in ((0.5, 0.25), (0.25, 0.0), (0.125, 0.0)) for seed in (0, 1)]
    columns = ["solver", "dt", "seed", "diverged_fraction"]
    table = pd.DataFrame(cells, columns=columns).assign(
        equation="lotka-volterra", method="rk4", corrector="none", t_end=4.0, cell_id="",
        state=lambda t: np.where(t["diverged_fraction"] > 0, "diverged", "ok"),
    )  # fmt: skip
    (row,) = stable_steps(prepare(table)).itertuples()
    assert (row.stable_dt, row.unstable_dt) == (0.25, 0.5)
    assert np.isnan(row.largest_stable_dt)
    (row,) = stable_steps(prepare(table), registry=REGISTRY, trajectories=2).itertuples()
    assert row.largest_stable_dt > 0.05


def test_the_command_draws_regions_of_corrected_steps(tmp_path):
    weights, region = tmp_path / "weights", tmp_path / "region.svg"
    recipe = ["--recipe-option", "max_pairs=200", "--trajectories", "3", "--t-end", "2"]
    run(["train", "dahlquist", "--method", "euler", "--corrector", "linear", *recipe, "--out", str(weights)])
    bare = json.loads(run(["stability", "euler", "--json"]))
    found = json.loads(run(["stability", "euler", "--weights", str(weights), "--region", str(region), "--json"]))
    assert bare["real_interval"] == pytest.approx(2.0, abs=1e-3)
    assert found["real_interval"] != pytest.approx(bare["real_interval"], abs=1e-3)
    assert "euler" in region.read_text()
    with pytest.raises(AttnsError, match="method 'euler'"):
        run(["stability", "rk4", "--weights", str(weights)])


def run(arguments):
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


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
    # Saved more often than it steps: multiples of the saving interval are tried.
    dense = replace(problem, t_save=np.linspace(0.0, 4.0, 401))
    exact = np.exp(-50.0 * dense.t_save)[:, None, None] * dense.u0
    trusted = replace(reference, t=dense.t_save, u=exact, gap=np.zeros((401, 4)))
    assert largest_stable_step(dense, solver("rk4"), trusted) == pytest.approx(0.05)
    # Rodas4 damps whatever the step: the whole span at once.
    assert largest_stable_step(dense, solver("rodas4"), trusted) == pytest.approx(4.0)


def test_the_command_prints_intervals_and_the_largest_stable_step():
    arguments = ["stability", "rk4", "--equation", "henon-heiles", "--trajectories", "2", "--t-end", "4", "--json"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.exception is None, done.output
    found = json.loads(done.output)
    assert found["real_interval"] == pytest.approx(2.785, abs=1e-3)
    assert 0.1 < found["largest_stable_step"] <= 2.9  # the imaginary interval at the frequency 1
