"""A black box that learns is trained by the runner, once per what decides its weights, and its cost is counted."""

from pathlib import Path

import pandas as pd
import pytest
from attns_harness.analysis.break_even import break_even
from attns_harness.analysis.table import prepare
from attns_harness.analysis.work_precision import WorkPrecisionSet
from attns_harness.cli import cli
from attns_harness.store import read_store
from attns_harness.tables import read_results
from click.testing import CliRunner
from runs import run, stable

from attns_core.errors import AttnsError

LEARNER = """
import numpy as np
from attns_core import black_box, hookimpl
from attns_core.reference import make_reference

@black_box(name="propagator", control="fixed")
class Propagator:
    '''Least squares from one saved state to the next, with weights in a dict.'''

    weights = None

    def supports(self, problem, control):
        return "only linear equations" if problem.equation.name == "lotka-volterra" else None

    def train(self, problem, control, *, seed):
        u = make_reference(problem).u
        before, after = (np.moveaxis(part, 1, 0).reshape(u.shape[1], -1) for part in (u[:-1], u[1:]))
        learned = type(self)()
        learned.weights = {"matrix": after @ np.linalg.pinv(before), "first": float(u[0, 0, 0])}
        return learned

    def solve(self, problem, control):
        states = [problem.u0]
        for _ in problem.t_save[1:]:
            states.append(self.weights["matrix"] @ states[-1])
        return states

@black_box(name="forgetful", control="fixed")
class Forgetful:
    '''Learns a function, which cannot be stored.'''

    def train(self, problem, control, *, seed):
        learned = type(self)()
        learned.net = lambda u: u
        return learned

    def solve(self, problem, control):
        return [problem.u0 for _ in problem.t_save]

@hookimpl
def attns_solvers():
    return [Propagator, Forgetful]
"""

MATRIX = """
name = "learned"
plugins = ["{plugin}"]
[timing]
enabled = true
budget_s = 0.02
[[block]]
equations = [
  {{ name = "dahlquist", t_end = 2.0, save_every = 0.5, n_trajectories = 3 }},
  {{ name = "lotka-volterra", t_end = 1.0, save_every = 0.5, n_trajectories = 3 }},
]
solvers = ["propagator"]
methods = ["heun"]
backends = ["numpy"]
train_trajectories = [1, 20]
dts = [0.5, 0.25]
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("plugin") / "learner.py"
    file.write_text(LEARNER)
    return file


@pytest.fixture(scope="module")
def folder(plugin: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    assert run(MATRIX.format(plugin=plugin), out).failures == []
    return out


@pytest.fixture(scope="module")
def table(folder: Path) -> pd.DataFrame:
    return read_results(folder)


def test_rows_state_what_training_cost(table: pd.DataFrame) -> None:
    learned = table[(table["solver"] == "propagator") & (table["equation"] == "dahlquist")]
    assert sorted(learned["train_trajectories"]) == [1, 1, 20, 20]
    assert (learned["state"] == "ok").all()
    assert (learned["train_seconds"] > 0).all()
    assert (learned["data_seconds"] == 0).all()
    assert learned["noise"].isna().all()
    assert learned["time_median_s"].notna().all()
    bare = table[table["solver"] == "heun"]
    assert len(bare) == 4
    assert bare["train_seconds"].isna().all()


def test_it_was_trained_on_as_much_as_it_was_given(table: pd.DataFrame) -> None:
    rows = table[(table["solver"] == "propagator") & (table["equation"] == "dahlquist")]
    error = rows.groupby("train_trajectories")["error_l2"].max()
    assert (error < 1e-10).all()
    # Both err by round-off, in an order that the processor decides: other data make other weights.
    assert error[20] != error[1]


def test_what_it_does_not_support_is_skipped_and_not_trained(table: pd.DataFrame) -> None:
    rows = table[(table["solver"] == "propagator") & (table["equation"] == "lotka-volterra")]
    assert (rows["state"] == "skipped").all()
    assert rows["reason"].str.contains("only linear equations").all()


def test_weights_are_artefacts_that_a_second_run_uses(folder: Path, plugin: Path, table: pd.DataFrame) -> None:
    store = read_store(folder)
    weights = [a for a in store.artefacts().values() if a["kind"] == "weights" and a["state"] == "ok"]
    store.close()
    assert len(weights) == 2 * 2  # one per size and step
    assert all(set(a["files"]) == {"weights.safetensors", "metadata.json"} for a in weights)
    more = MATRIX.format(plugin=plugin).replace("t_end = 2.0", "t_end = 3.0")
    summary = run(more, folder, timing=False)
    store = read_store(folder)
    again = [a for a in store.artefacts().values() if a["kind"] == "weights" and a["state"] == "ok"]
    store.close()
    assert summary.executed == 4 + 2  # the other span: learned and bare
    assert {a["id"] for a in again} == {a["id"] for a in weights}


def test_the_same_matrix_gives_the_same_table(folder: Path, plugin: Path, table: pd.DataFrame, tmp_path: Path) -> None:
    run(MATRIX.format(plugin=plugin), tmp_path, timing=False)
    assert stable(read_results(tmp_path)) == stable(table)


def test_analysis_counts_it_as_learned(table: pd.DataFrame) -> None:
    prepared = prepare(table)
    learned = prepared[prepared["learned"]]
    assert set(learned["solver"]) == {"propagator"}
    found = break_even(WorkPrecisionSet(prepared))
    assert set(found["series"]) == set(learned.loc[learned["ok"], "series"])
    assert found["training_s"].notna().all()


def test_what_cannot_be_stored_is_a_row_with_the_reason(plugin: Path, tmp_path: Path) -> None:
    text = MATRIX.format(plugin=plugin).replace('"propagator"', '"forgetful"').replace("[1, 20]", "[1]")
    summary = run(text.replace("enabled = true", "enabled = false"), tmp_path)
    rows = read_results(tmp_path)
    rows = rows[rows["solver"] == "forgetful"]
    assert (rows["state"] == "error").all()
    assert rows["reason"].str.contains("train() left net = function", regex=False).all()
    assert summary.failures


def test_it_cannot_run_untrained(plugin: Path, tmp_path: Path) -> None:
    text = MATRIX.format(plugin=plugin).replace("train_trajectories = [1, 20]", "")
    with pytest.raises(AttnsError, match="solver 'propagator' has to learn: give train_trajectories"):
        run(text, tmp_path)
    run(text.replace('"propagator"', '"propa*"').replace("enabled = true", "enabled = false"), tmp_path)
    rows = read_results(tmp_path).query("solver == 'propagator' and equation == 'dahlquist'")
    assert list(rows["state"]) == ["skipped"] * 2
    assert set(rows["reason"]) == {"has to learn: give train_trajectories"}
    result = CliRunner().invoke(cli, ["--plugin", str(plugin), "solve", "dahlquist", "--solver", "propagator"])
    assert "has to learn before it solves" in str(result.exception)
