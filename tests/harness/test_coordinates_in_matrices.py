"""Coordinates named in a matrix: steps and training happen there, problems and errors stay those of the states."""

import json
from pathlib import Path

import numpy as np
import pytest
from attns_harness.cells import Cell
from attns_harness.matrix_file import parse_matrix
from attns_harness.plan import make_plan
from attns_harness.store import read_store
from attns_harness.tables import read_results
from runs import run

from attns_core.errors import AttnsError
from attns_core.maths import COST
from attns_core.registry import build_registry

BLOCK = """
[[block]]
equations = [{{ name = "lotka-volterra", t_end = 2.0, save_every = 0.5, n_trajectories = 6{coordinates} }}]
methods = ["rk4"]
correctors = ["none", {{ name = "stage-attention", width = 12, input = "u" }}]
backends = [{backends}]
train_trajectories = [10]
dts = [0.25]
"""
HEAD = 'name = "coordinates"\n[timing]\nbudget_s = 0.01\nmin_samples = 2\n'
LOG = 'coordinates = "log"'

MIRROR = """
from attns_core import hookimpl
from attns_core.coordinates import Coordinate


@hookimpl
def attns_coordinates():
    return [Coordinate(name="reciprocal", forward=lambda u, m: 1 / u, backward=lambda v, m: 1 / v,
                       slope=lambda v, m: -1 / v**2)]
"""


def block(coordinates: str, backends: str = '"numba"') -> str:
    return BLOCK.format(coordinates=f", {coordinates}" if coordinates else "", backends=backends)


def planned(coordinates: str) -> list[Cell]:
    return [p.cell for p in make_plan(parse_matrix(HEAD + block(coordinates)).matrix, build_registry()).cells]


def test_backends_agree_and_errors_are_those_of_the_states(tmp_path: Path) -> None:
    run(HEAD + block("") + block(LOG, '"numba", "numpy"'), tmp_path / "run")
    rows = read_results(tmp_path / "run")
    assert rows["state"].eq("ok").all(), rows["reason"].dropna().tolist()
    there = rows[rows["coordinates"] == "log(x,y)"]
    assert set(there["solver"].str.removesuffix(" in log(x,y)")) == set(rows.loc[rows["coordinates"].isna(), "solver"])
    assert there["time_min_s"].notna().all()
    for _, same in there.groupby("solver"):
        assert len(same) == 2
        assert np.ptp(same["error_l2"]) < 1e-9
    # The same states are met, to the accuracy of either step, and learning lowers the error of both.
    error = rows[rows["backend"] == "numba"].set_index("solver")["error_l2_scaled"]
    assert 0.01 < error["rk4 in log(x,y)"] / error["rk4"] < 100
    learned = "rk4+stage-attention[input=u,width=12]"
    assert error[f"{learned} in log(x,y)"] < 0.5 * error["rk4 in log(x,y)"]
    # The exponentials of the coordinates are counted, also in the cheaper of the two.
    operations = rows[rows["backend"] == "numba"].set_index("solver")["operations"]
    for solver in ("rk4", learned):
        assert operations[f"{solver} in log(x,y)"] > operations[solver] + 32 * 2 * COST["exp"]
    # One reference serves both, and weights say what they are for.
    store = read_store(tmp_path / "run")
    kinds = [a["kind"] for a in store.artefacts().values()]
    store.close()
    assert kinds.count("reference") == 1
    stored = [json.loads(p.read_text()) for p in (tmp_path / "run" / "artefacts").rglob("*.json")]
    assert {"lotka-volterra", "lotka-volterra-in-log"} <= {s.get("equation") for s in stored}
    assert not list((tmp_path / "run" / "artefacts").rglob("*.pkl"))


def test_sequences_and_single_components(tmp_path: Path) -> None:
    sequence = """
[[block]]
n_trajectories = 16
equations = [{ name = "robertson", log_points = 3, coordinates = { a = { name = "log", floor = 0.1 } } }]
methods = ["zero"]
correctors = [{ name = "neurvec", width = 8, activation = "tanh", linear = true, margin = 0.5 }]
recipes = [{ name = "lsq", bandwidths = [0.25] }]
train_trajectories = [60]
steps_per_save = [1]
timed = false
"""
    run(HEAD + sequence, tmp_path / "run")
    (row,) = read_results(tmp_path / "run").to_dict("records")
    assert row["coordinates"] == "log[floor=0.1](a)"
    assert row["error_l2_scaled"] < 0.01


def test_coordinates_of_a_plugin_file(tmp_path: Path) -> None:
    (tmp_path / "mirror.py").write_text(MIRROR)
    head = HEAD.replace('"coordinates"\n', f'"coordinates"\nplugins = ["{tmp_path / "mirror.py"}"]\n', 1)
    run(head + block('coordinates = { x = "reciprocal" }'), tmp_path / "run")
    rows = read_results(tmp_path / "run")
    assert rows["state"].eq("ok").all(), rows["reason"].dropna().tolist()
    assert set(rows["coordinates"]) == {"reciprocal(x)"}


def test_cells_carry_them_and_others_keep_their_names() -> None:
    here, there, floor = (planned(c) for c in ("", LOG, 'coordinates = { x = { name = "log", floor = 0.1 } }'))
    assert "coordinates" not in here[0].to_json()
    assert len({c.point for c in (*here, *there, *floor)}) == 6
    for cell in (*here, *there, *floor):
        assert Cell.from_json(json.loads(json.dumps(cell.to_json()))) == cell


@pytest.mark.parametrize(
    ("coordinates", "message"),
    [
        ('coordinates = "lgo"', "unknown coordinate 'lgo'.*log"),
        ('coordinates = { prey = "log" }', "component of lotka-volterra"),
        ('coordinates = { x = { name = "log", floor = -9.0 } }', "no finite coordinate; give the coordinate a floor"),
        ('coordinates = { x = { name = "log", flor = 1.0 } }', "no option 'flor'; options: floor"),
        ('coordinates = { x = { name = "log", floor = "high" } }', "floor must be a finite number"),
        ('coordinates = "log", train_data = "mine.npz"', "leave out coordinates"),
    ],
)
def test_mistakes_are_named_before_anything_runs(coordinates: str, message: str) -> None:
    with pytest.raises(AttnsError, match=message):
        planned(coordinates)


def test_solvers_have_their_own() -> None:
    text = HEAD + block(LOG).replace('methods = ["rk4"]', 'methods = ["rk4"]\nsolvers = ["scipy-dop853"]')
    registry = build_registry()
    if "scipy-dop853" not in registry.names("solver"):
        text = text.replace("scipy-dop853", registry.names("solver")[0])
    with pytest.raises(AttnsError, match="coordinates serve methods"):
        make_plan(parse_matrix(text).matrix, registry)
