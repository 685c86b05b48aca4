"""Kept trajectories and training curves: the right cells, solved again from the row alone."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_runs as synthetic
from attns_harness.analysis import prepare
from attns_harness.cli import cli
from attns_harness.matrix_file import parse_matrix
from attns_harness.progress import View
from attns_harness.runner import RunOptions, run_matrix
from attns_harness.tables import read_results
from attns_harness.training_curves import keep_training_curves, read_training_curves
from attns_harness.trajectories import FILE, chosen_cells, keep_trajectories, read_trajectories
from click.testing import CliRunner
from rich.console import Console

from attns_core import build_registry

# Explicit Euler leaves the pendulum's neighbourhood at 0.5, and its linear corrector does not at 0.1.
MATRIX = """
name = "portraits"
[timing]
enabled = false
[[block]]
equations = [{ name = "elastic-pendulum", t_end = 10, save_every = 0.5, n_trajectories = 4 }]
methods = ["euler"]
correctors = ["none", "linear"]
train_trajectories = [3]
dts = [0.5, 0.25, 0.1, 0.05]
"""
REGISTRY = build_registry()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "portraits"
    file = parse_matrix(MATRIX, folder / "matrix.toml")
    run_matrix(file, folder, REGISTRY, RunOptions(workers=1), View(Console(quiet=True), quiet=True))
    assert keep_trajectories(folder, file, REGISTRY) == []
    keep_training_curves(folder)
    return folder


def test_best_median_and_most_diverged_learned_cells_are_chosen() -> None:
    table = prepare(synthetic.table())
    chosen = chosen_cells(table)
    assert set(zip(chosen["problem"], chosen["role"], strict=True)) == {
        (p, role) for p in ("spring-chain", "henon-heiles") for role in ("best", "median", "diverged")
    }
    learned = table[table["learned"] & table["ok"] & (table["problem"] == "henon-heiles")]
    best = chosen[(chosen["problem"] == "henon-heiles") & (chosen["role"] == "best")].iloc[0]
    assert best["error_l2_scaled"] == learned["error_l2_scaled"].min()
    # Only a classical solver diverges here.
    assert set(chosen.loc[chosen["role"] == "diverged", "series"]) == {"euler"}
    assert chosen_cells(table.iloc[:0]).empty


def test_kept_states_are_those_of_the_cell_beside_its_reference(run: Path) -> None:
    kept = read_trajectories(run)
    assert set(kept["role"]) == {"best", "median", "diverged"}
    assert set(kept["component"]) == {"theta", "omega", "r"}
    table = read_results(run).set_index("cell_id")
    best = kept[kept["role"] == "best"]
    row = table.loc[best["cell_id"].iloc[0]]
    gap = np.abs(best["u"] - best["reference"])
    assert 0 < gap.max() < 10 * row["error_linf"]
    assert (best[best["t"] == 0]["u"] == best[best["t"] == 0]["reference"]).all()
    diverged = kept[kept["role"] == "diverged"]
    assert table.loc[diverged["cell_id"].iloc[0], "state"] == "diverged"
    assert diverged["u"].isna().any()
    assert diverged["reference"].notna().all()
    assert (run / "tables" / FILE).stat().st_size < 50_000


def test_a_published_run_without_artefacts_gives_the_same_trajectories(run: Path, tmp_path: Path) -> None:
    published = tmp_path / "portraits"
    shutil.copytree(run / "tables", published / "tables")
    shutil.copy(run / "matrix.toml", published)
    (published / "tables" / FILE).unlink()
    arguments = ["report", str(published), "--format", "csv", "--trajectories"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.exception is None, done.output
    pd.testing.assert_frame_equal(read_trajectories(published), read_trajectories(run))
    assert sorted(p.name for p in published.iterdir()) == ["matrix.toml", "report", "tables"]


def test_kept_trajectories_are_not_solved_again(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr("attns_harness.trajectories.LocalExecutor", refuse)
    before = (run / "tables" / FILE).read_bytes()
    assert keep_trajectories(run, parse_matrix(MATRIX, run / "matrix.toml"), REGISTRY) == []
    assert (run / "tables" / FILE).read_bytes() == before
    other = MATRIX.replace("t_end = 10", "t_end = 20")
    (run / "tables" / FILE).unlink()
    lines = keep_trajectories(run, parse_matrix(other, run / "matrix.toml"), REGISTRY)
    (run / "tables" / FILE).write_bytes(before)
    assert len(lines) == 3
    assert all("the matrix no longer asks for cell" in line for line in lines)


def test_states_of_another_result_than_the_row_s_are_not_kept(run: Path, tmp_path: Path) -> None:
    changed = tmp_path / "portraits"
    (changed / "tables").mkdir(parents=True)
    table = read_results(run)
    table["error_l2_scaled"] *= 2
    table.to_parquet(changed / "tables" / "results.parquet")
    lines = keep_trajectories(changed, parse_matrix(MATRIX, changed / "matrix.toml"), REGISTRY)
    # A diverged cell may have no error to hold against.
    assert sum("it was made by other code" in line for line in lines) >= 2
    assert set(read_trajectories(changed)["role"]) <= {"diverged"}


def test_training_curves_are_kept_as_a_table(run: Path, tmp_path: Path) -> None:
    curves = read_training_curves(run)
    assert set(curves["corrector"]) == {"linear"}
    assert set(curves["recipe"]) == {"lsq"}
    assert curves["weights_id"].nunique() == 4
    assert (curves["held_out_loss"] > 0).all()
    from_weights = shutil.copytree(run / "artefacts", tmp_path / "artefacts")
    assert from_weights.is_dir()
    pd.testing.assert_frame_equal(read_training_curves(tmp_path), curves)
