"""Trajectories of a user's own as the training data of a matrix."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from attns_harness.cells import Cell
from attns_harness.matrix_file import load_matrix
from attns_harness.plan import Plan, make_plan
from attns_harness.progress import View
from attns_harness.runner import RunOptions, Summary, run_matrix
from attns_harness.store import read_store
from attns_harness.tables import read_results
from attns_harness.trajectories import keep_trajectories
from rich.console import Console

from attns_core import Problem, Registry, solve
from attns_core.errors import AttnsError
from attns_core.registry import build_registry

MATRIX = """
name = "measured"
[timing]
enabled = false
[[block]]
methods = ["rk4"]
correctors = ["none", { name = "attns", width = 16, input = "uS" }]
equations = [
  { name = "henon-heiles", t_end = 4, save_every = 1, n_trajectories = 4, dts = [0.5, 0.25], train_data = "d/m.npz" },
]
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return build_registry()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Path:
    """A folder with ten measured trajectories."""
    folder = tmp_path_factory.mktemp("measured")
    equation = registry.equation("henon-heiles")
    fine = Problem(equation=equation, u0=equation.initial_states(3, 10), t_save=0.25 * np.arange(41))
    u = solve(fine, registry.solver("dop853"), dt=0.125).u
    (folder / "d").mkdir()
    np.savez(folder / "d" / "m.npz", t=fine.t_save, u=u)
    return folder


def planned(folder: Path, text: str, registry: Registry) -> Plan:
    path = folder / "matrix.toml"
    path.write_text(text)
    file = load_matrix(path)
    return make_plan(file.matrix, registry, path.parent)


def run(folder: Path, text: str, registry: Registry, out: Path, **options: object) -> Summary:
    path = folder / "matrix.toml"
    path.write_text(text)
    quiet = View(Console(quiet=True), quiet=True)
    return run_matrix(load_matrix(path), out, registry, RunOptions(**{"workers": 1, **options}), quiet)  # type: ignore[arg-type]


def test_correctors_learn_from_the_file_and_the_run_folder_can_be_run_again(
    measured: Path, registry: Registry, tmp_path: Path
) -> None:
    assert run(measured, MATRIX, registry, tmp_path / "run").counts == {"ok": 4}
    table = read_results(tmp_path / "run").set_index(["solver", "dt"])
    learned, bare = table.loc["rk4+attns[input=uS,width=16]@m.npz"], table.loc["rk4"]
    assert (learned["train_trajectories"] == 10).all()
    assert (learned["error_l2_scaled"] < 0.3 * bare["error_l2_scaled"]).all()
    # The folder holds the file and the matrix that names it: its copy is a matrix like any other.
    shutil.copytree(tmp_path / "run", tmp_path / "moved")
    again = load_matrix(tmp_path / "moved" / "matrix.toml")
    quiet = View(Console(quiet=True), quiet=True)
    assert run_matrix(again, tmp_path / "moved", registry, RunOptions(workers=1), quiet).executed == 0
    assert not keep_trajectories(tmp_path / "moved", again, registry)


def test_other_contents_are_other_cells_and_smaller_sets_its_first_trajectories(
    measured: Path, registry: Registry, tmp_path: Path
) -> None:
    sizes = MATRIX.replace('methods = ["rk4"]', 'methods = ["rk4"]\ntrain_trajectories = [5, 10]')
    first = planned(measured, sizes, registry)
    assert {c.cell.training.trajectories for c in first.cells if c.cell.training} == {5, 10}
    for cell in first.cells:
        stored = json.loads(json.dumps(cell.cell.to_json()))
        assert Cell.from_json(stored) == cell.cell
        assert Cell.from_json(stored).point == cell.point
    with np.load(measured / "d" / "m.npz") as data:
        t, u = data["t"], data["u"]
    (tmp_path / "d").mkdir()
    np.savez(tmp_path / "d" / "m.npz", t=t, u=u * (1 + 1e-12))
    other = planned(tmp_path, sizes, registry)
    kept = {c.point for c in first.cells} & {c.point for c in other.cells}
    assert kept == {c.point for c in first.cells if c.cell.training is None}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("d/m.npz", "d/n.npz", "no trajectory file"),
        ("henon-heiles", "lotka-volterra", r"u has shape \(41, 4, 10\), expected"),
        ("0.25]", "0.2]", "states are 0.25 apart; dt=0.2 is not a whole multiple"),
        ('["rk4"]', '["rk4"]\ntrain_trajectories = [5, 11]', "has 10 trajectories; 11 were asked for"),
        ('["rk4"]', '["rk4"]\nnoise = [0.1]', "leave out noise"),
        ('["rk4"]', '["rk4"]\nsteps_per_save = [1]', "steps_per_save trains one for each"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_before_anything_runs(
    measured: Path, registry: Registry, old: str, new: str, words: str
) -> None:
    with pytest.raises(AttnsError, match=words):
        planned(measured, MATRIX.replace(old, new), registry)


@pytest.mark.filterwarnings("default")  # Dask's own
def test_a_cluster_gets_the_file_by_its_contents(measured: Path, registry: Registry, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    assert run(measured, MATRIX, registry, tmp_path / "far", executor="dask").counts == {"ok": 4}
    store = read_store(tmp_path / "far")
    rows = [row for row in store.rows() if row["spec"]["training"]]
    store.close()
    assert all(row["state"] == "ok" and row["columns"]["dataset_id"] for row in rows)
