"""Matrices with frozen steps, logarithmic times and one corrector per step: run, trained, stored, resumed."""

from pathlib import Path

import pytest
from attns_harness.cells import Cell
from attns_harness.matrix_file import parse_matrix
from attns_harness.plan import make_plan
from attns_harness.tables import read_results
from runs import run

from attns_core.errors import AttnsError
from attns_core.registry import build_registry

TEXT = """
name = "sequences"
[timing]
enabled = false
[[block]]
name = "classical"
equations = [{ name = "robertson", log_points = 4, n_trajectories = 6 }]
methods = ["rodas4"]
rtols = [1e-5]
frozen = [1e-4, 1e-5]
refine = [1.0, 2.0]
[[block]]
name = "learned"
equations = [{ name = "robertson", log_points = 4, n_trajectories = 6 }]
methods = ["zero"]
steps_per_save = [1]
correctors = [
    { name = "neurvec", width = 8, activation = "tanh", linear = true, margin = 0.5 },
    { name = "neurvec", width = 8, activation = "tanh", linear = true, input = "u0" },
]
recipes = [{ name = "lsq", bandwidths = [0.25, 0.5] }]
train_trajectories = [150]
[[block]]
name = "stiff pairs"
equations = [{ name = "van-der-pol-stiff", n_trajectories = 6, t_end = 0.5, save_every = 0.25 }]
methods = ["zero"]
dts = [0.25]
correctors = [{ name = "poly", degree = 3 }]
train_trajectories = [100]
"""


def test_sequences_from_matrix_to_table(tmp_path: Path) -> None:
    summary = run(TEXT, tmp_path)
    assert summary.counts == {"ok": 8}
    table = read_results(tmp_path).set_index("solver")
    error = table["error_l2_rel"]
    assert error["rodas4-frozen"].min() < error["rodas4-frozen"].max()
    assert error["rodas4-frozen[refine=2]"].max() < error["rodas4-frozen"].max()
    sequences = table[(table["method"] == "zero") & (table["equation"] == "robertson")]
    assert (sequences["steps_per_save"] == 1).all()
    assert (sequences["n_steps"] == 4).all()
    assert (sequences["error_l2_rel"] < 0.1).all()
    assert set(sequences["input"]) == {"u", "u0"}
    assert (sequences["train_seconds"] > 0).all()
    assert (sequences["nfe"] == 0).all()
    assert table.loc["zero+poly[degree=3]", "error_l2_rel"] < 1e-3
    assert run(TEXT, tmp_path).executed == 0


def test_cells_of_all_controls_survive_storage() -> None:
    plan = make_plan(parse_matrix(TEXT).matrix, build_registry())
    for planned in plan.cells:
        again = Cell.from_json(planned.cell.to_json())
        assert again == planned.cell
        assert again.point == planned.point
    fixed = next(p.cell for p in plan.cells if p.cell.dt is not None)
    assert not {"steps", "frozen", "refine"} & set(fixed.to_json())


def test_logarithmic_times_refuse_what_does_not_fit() -> None:
    registry = build_registry()
    with pytest.raises(AttnsError, match="steps of one length do not fit logarithmic times"):
        make_plan(parse_matrix(TEXT.replace("rtols = [1e-5]", "dts = [0.1]")).matrix, registry)
    with pytest.raises(AttnsError, match="no save_every"):
        parse_matrix(TEXT.replace("log_points = 4", "log_points = 4, t_end = 3.0"))
    with pytest.raises(AttnsError, match="declares no log_times"):
        make_plan(parse_matrix(TEXT.replace('name = "robertson"', 'name = "lorenz-63"')).matrix, registry)
