"""Regimes: comparisons at equal delivered error, their verdicts, and what the learned term should read."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_runs as synthetic
from attns_harness.analysis.fairness import fairness
from attns_harness.analysis.inputs import inputs, verdict
from attns_harness.analysis.regimes import regimes
from attns_harness.analysis.study import Study
from attns_harness.analysis.table import prepare
from attns_harness.analysis.work_precision import WorkPrecisionSet
from attns_harness.matrix import Regime
from attns_harness.matrix_file import parse_matrix
from attns_harness.reports.content import document
from attns_harness.reports.facts import RunFacts
from attns_harness.reports.regime_map import map_figure, write_regime_map
from attns_harness.reports.regime_sections import sentence

from attns_core.errors import AttnsError
from attns_core.registry import build_registry

FAST = synthetic.SyntheticSolver("rk4+attns", 4, 1e-3, 5e-6, "attns", train_seconds=3.0, data_seconds=1.0, stages=4)
TARGET = Regime(name="springs", equation="spring-chain", levels=[1e-6], target=2.0, break_even=1e6)


def rows(*solvers: synthetic.SyntheticSolver, spread: float = 0.0) -> pd.DataFrame:
    table = synthetic.table((*solvers, synthetic.RK4, synthetic.DOP853), equations=("spring-chain",), spread=spread)
    return table.assign(error_p99_scaled=3 * table["error_l2_scaled"])


def compared(table: pd.DataFrame, *wanted: Regime) -> pd.DataFrame:
    return regimes(WorkPrecisionSet.from_table(prepare(table)), wanted or (TARGET,), ("poly", "linear"))


def test_the_ratio_is_that_of_the_errors_constants() -> None:
    row = compared(rows(FAST)).iloc[0]
    # The learned cell: the coarsest step below 1e-6. The classical one: DOP853, interpolated.
    assert row["dt"] == 0.1
    assert row["learned_error"] == pytest.approx(1e-7)
    dt = (1e-6 / 10) ** (1 / 8)
    assert row["classical"] == "dop853"
    assert row["ratio"] == pytest.approx((12e-6 / dt) / (5e-6 / 0.1), rel=1e-6)
    # At equal 99th percentile the learned cell's own 3e-7 must be reached, of which DOP853 delivers 3 times its RMS.
    tight = (1e-7 / 10) ** (1 / 8)
    assert row["ratio_p99"] == pytest.approx((12e-6 / tight) / (5e-6 / 0.1), rel=1e-6)
    assert row["verdict"] == "win"
    assert row["met"] == "no"
    assert row["evaluation_ns"] == pytest.approx(1000)
    assert row["evaluations_per_step"] == pytest.approx(12 / dt * 0.1)
    assert row["break_even"] == pytest.approx(4.0 / (12e-6 / dt - 5e-6 / 0.1))


def test_a_slower_learned_solver_never_breaks_even() -> None:
    slow = synthetic.SyntheticSolver("rk4+attns", 4, 1e-3, 5e-4, "attns", train_seconds=3.0, data_seconds=1.0, stages=4)
    row = compared(rows(slow)).iloc[0].to_dict()
    assert row["verdict"] == "loss"
    assert ", never breaks even, target 2: no." in sentence(row)


def test_the_cell_that_repays_its_training_first_stands_beside_the_fastest() -> None:
    quick = synthetic.SyntheticSolver(
        "rk4+quick", 4, 1e-3, 8e-6, "quick", train_seconds=0.03, data_seconds=0.01, stages=4
    )
    slow = synthetic.SyntheticSolver(
        "rk4+slow", 4, 1e-3, 30e-6, "slow", train_seconds=1e-3, data_seconds=1e-3, stages=4
    )
    wanted = TARGET.model_copy(update={"target": 0.5, "break_even": 5000.0})
    row = compared(rows(FAST, quick, slow), wanted).iloc[0].to_dict()
    assert row["learned"] == "rk4+attns"
    # Faster to train than both, yet below the target.
    assert row["quickest"] == "rk4+quick at 0.1"
    assert row["quickest_ratio"] == pytest.approx(row["ratio"] * 5 / 8)
    classical = row["ratio"] * 5e-6 / 0.1
    assert row["quickest_break_even"] == pytest.approx(0.04 / (classical - 8e-6 / 0.1))
    assert row["quickest_break_even"] < 5000 < row["break_even"]
    assert row["met"] == "yes"
    assert "for the cell that repays its training first)" in sentence(row)
    unmet = compared(rows(FAST, quick), wanted.model_copy(update={"break_even": 1.0})).iloc[0]
    assert unmet["met"] == "ratio yes, break-even no"


def test_one_seed_above_the_level_is_not_delivered() -> None:
    table = rows(FAST)
    learned = (table["solver"] == "rk4+attns") & (table["dt"] == 0.1)
    table.loc[learned & (table["seed"] == 2), "error_l2_scaled"] = 2e-6
    assert compared(table).iloc[0]["dt"] == 0.05
    table.loc[table["solver"] == "rk4+attns", "error_l2_scaled"] = 1.0
    lost = compared(table).iloc[0]
    assert lost["verdict"] == "not reached"
    assert lost["met"] == "no"
    assert lost["classical"] == "dop853"


def test_more_data_on_seeds_of_its_own_is_another_candidate() -> None:
    table = rows(FAST).assign(train_trajectories=np.nan)
    learned = table["solver"] == "rk4+attns"
    table.loc[learned, "train_trajectories"] = 100
    richer = table[learned].assign(train_trajectories=400, seed=table["seed"] + 3)
    table.loc[learned & (table["seed"] == 2), "error_l2_scaled"] = 1.0
    classical = table[~learned].assign(seed=table["seed"] + 3)
    row = compared(pd.concat([table, richer, classical], ignore_index=True)).iloc[0]
    assert row["dt"] == 0.1
    assert row["seeds"] == 3


def test_slow_learned_steps_lose_and_equal_ones_tie() -> None:
    for seconds, verdict_ in ((50e-6, "loss"), (9e-6, "tie")):
        slow = synthetic.SyntheticSolver("rk4+attns", 4, 9e-3, seconds, "attns", train_seconds=1, data_seconds=1)
        row = compared(rows(slow), TARGET.model_copy(update={"levels": [1e-6], "target": None})).iloc[0]
        assert row["verdict"] == verdict_, row["ratio"]
        assert row["met"] == ""


def test_a_classical_step_that_could_be_coarser_decides_nothing() -> None:
    easy = TARGET.model_copy(update={"levels": [1.0]})
    quick = synthetic.SyntheticSolver("rk4+attns", 4, 1e-3, 1e-7, "attns", train_seconds=1, data_seconds=1)
    assert compared(rows(quick), easy).iloc[0]["verdict"] == "undetermined"
    # Where a coarser one was tried and lost, there is none.
    tried = rows(quick)
    coarse = tried[tried["solver"].isin(("rk4", "dop853"))].drop_duplicates("solver")
    coarse = coarse.assign(dt=0.4, state="diverged", error_l2_scaled=None)
    assert compared(pd.concat([tried, coarse], ignore_index=True), easy).iloc[0]["verdict"] == "win"


def test_heavy_tails_count_against_the_learned_side() -> None:
    table = rows(FAST)
    learned = table["solver"] == "rk4+attns"
    table.loc[learned, "error_p99_scaled"] = 3e3 * table.loc[learned, "error_l2_scaled"]
    row = compared(table).iloc[0]
    assert row["ratio"] > 1.1
    assert row["ratio_p99"] < row["ratio"]
    assert row["verdict"] != "win"


def test_bars_compare_with_one_method_and_polynomials_stand_apart() -> None:
    poly = synthetic.SyntheticSolver("rk4+poly", 4, 1e-3, 4e-6, "poly", train_seconds=0.1, data_seconds=1)
    wanted = TARGET.model_copy(update={"bars": {"rk4": 3.0}})
    found = compared(rows(FAST, poly), wanted)
    assert found["bar"].tolist() == ["fastest classical", "rk4"]
    assert found["target"].tolist() == [2.0, 3.0]
    assert set(found["learned"]) == {"rk4+attns"}
    assert found["polynomial_ratio"].iloc[0] == pytest.approx(found["ratio"].iloc[0] * 5 / 4)
    only = compared(rows(poly)).iloc[0]
    assert only["verdict"] == "not reached"
    assert np.isfinite(only["polynomial_ratio"])


def test_a_baseline_that_learned_is_a_bar_and_nothing_else() -> None:
    fitted = synthetic.SyntheticSolver("fitted", 4, 1e-3, 4e-6, train_seconds=0.1, data_seconds=1)
    wanted = TARGET.model_copy(update={"bars": {"fitted": 3.0}})
    table = rows(FAST, fitted)
    table.loc[table["solver"] == "fitted", "train_trajectories"] = 20
    points = WorkPrecisionSet.from_table(prepare(table))
    found = regimes(points, (wanted,), ("poly", "linear"), ("fitted",))
    assert found["learned"].tolist() == ["rk4+attns"] * 2
    assert found["classical"].tolist() == ["dop853", "fitted"]
    # At equal error constants the ratio of times is that of a step's cost, at the level that the bar is read at.
    assert found["ratio"].iloc[1] == pytest.approx(4 / 5 * (0.1 / (1e-6 / 1e-3) ** (1 / 4)), rel=1e-6)


def test_a_report_has_the_map_the_table_and_a_sentence_per_regime(tmp_path: Path) -> None:
    study = Study(prepare(rows(FAST, spread=0.05)), "regimes", None, (TARGET,))
    made = document(study, RunFacts(name="run"))
    assert made.sections[0].name == "regimes"
    assert any(line.startswith("springs at error 1e-06: win") for line in made.lead)
    map_figure(study.regimes).savefig(tmp_path / "map.png")
    path = write_regime_map(study.regimes, study.table, None, tmp_path)[0]
    stored = json.loads(path.read_text(encoding="utf-8"))["comparisons"]
    assert [c["regime"] for c in stored] == ["springs"]
    assert stored[0]["learned_step_ns"] == pytest.approx(5000, rel=0.2)
    # Without regimes in the matrix nothing of it appears.
    assert document(Study(study.table, "none"), RunFacts(name="run")).sections[0].name != "regimes"


def test_labels_of_a_map_cover_neither_each_other_nor_points() -> None:
    one = compared(rows(FAST))
    # Two points on one spot, one a hair beside them, one at the right edge, one lost and one far away.
    places = [(2.0, 30.0), (2.0, 30.0), (2.02, 28.0), (900.0, 4.0), (np.nan, np.nan), (1.0, 90.0)]
    found = pd.concat([one] * len(places), ignore_index=True)
    found[["evaluation_ns", "evaluations_per_step"]] = places
    found["regime"] = [f"regime {i}" for i in range(len(places))]
    found["verdict"] = ["win", "loss", "tie", "undetermined", "not reached", "win"]
    figure = map_figure(found)
    figure.canvas.draw()
    axes, beside = figure.axes
    labels = [text.get_window_extent() for text in axes.texts if "\u00d7" in text.get_text()]
    assert len(labels) == 5
    for i, label in enumerate(labels):
        assert not any(label.overlaps(other) for other in labels[:i])
        assert label.x1 <= axes.bbox.x1
        for point in axes.transData.transform(found[["evaluation_ns", "evaluations_per_step"]].dropna()):
            assert not label.contains(*point)
    # Verdicts differ in shape, for print and for eyes that see no colours; wins stand first.
    shapes = [len(c.get_paths()[0].vertices) for c in axes.collections]
    assert len({c.get_paths()[0].vertices.tobytes() for c in axes.collections}) == len(shapes) == 4
    assert axes.get_legend().get_texts()[0].get_text() == "win (2)"
    assert "   5: @1e-06" in beside.texts[0].get_text()


def test_a_map_without_any_placed_comparison_is_drawn() -> None:
    table = rows(FAST)
    table.loc[table["solver"] == "rk4+attns", "error_l2_scaled"] = 1.0
    map_figure(compared(table)).canvas.draw()


def test_inputs_are_held_against_the_state_at_equal_network() -> None:
    table = synthetic.table((FAST,), equations=("spring-chain",), dts=(0.1,), seeds=range(5), spread=0.1)
    parts = []
    for name, factor in (("u", 1.0), ("S", 0.01), ("uS", 1.0), ("K", 100.0)):
        part = table.assign(input=name, width=16, recipe="lsq", corrector_operations=100.0, solver=f"rk4+attns-{name}")
        part["cell_id"] += name
        part["error_l2_scaled"] = factor * table["error_l2_scaled"] * (1.2 if name == "uS" else 1.0) ** np.arange(-2, 3)
        parts.append(part)
    exploded = parts[3].assign(input="uK", state="diverged", solver="rk4+attns-uK")
    found = inputs(prepare(pd.concat([*parts, exploded], ignore_index=True))).set_index("input")
    assert found["says"].to_dict() == {
        "u": "undecided",
        "S": "lower",
        "uS": "undecided",
        "K": "higher",
        "uK": "explodes",
    }
    assert found.loc["S", "ratio"] == pytest.approx(0.01)
    lines = verdict(found.reset_index())
    assert any("Input S against the state u in 1 groups: 1 lower" in line for line in lines)


def test_stiff_equations_have_strong_baselines_of_their_own() -> None:
    stiff = synthetic.SyntheticSolver("rodas4", 4, 1.0, 9e-6, stages=6)
    table = synthetic.table((stiff, synthetic.RK4, FAST), equations=("robertson", "spring-chain"))
    check = fairness(prepare(table), build_registry())[0]
    assert check.rows == ("spring-chain",)
    explicit = fairness(prepare(table[table["solver"] != "rodas4"]), build_registry())[0]
    assert explicit.rows == ("robertson", "spring-chain")


def test_an_equations_own_solver_is_a_strong_baseline() -> None:
    events = synthetic.SyntheticSolver("stick-slip-events", 4, 1.0, 9e-6)
    table = synthetic.table((events, FAST), equations=("stick-slip-coulomb",))
    assert fairness(prepare(table), build_registry())[0].passed
    assert not fairness(prepare(table[table["solver"] != "stick-slip-events"]), build_registry())[0].passed


def test_errors_below_the_smallest_claimed_one_claim_nothing() -> None:
    table = rows(FAST).assign(reference_uncertainty=1e-8)
    names = [c.name for c in fairness(prepare(table))]
    which = names.index("Is the reference good enough?")
    assert fairness(prepare(table))[which].passed is False
    assert fairness(prepare(table), claimed={"spring-chain": 1e-6})[which].passed is True
    assert fairness(prepare(table), claimed={"spring-chain": 1e-8})[which].passed is False


def test_a_misspelt_key_of_a_regime_is_named() -> None:
    text = """
name = "x"
[[regime]]
name = "a"
equation = "henon-heiles"
levls = [1e-3]
levels = [1e-3]
[[block]]
equations = ["henon-heiles"]
methods = ["rk4"]
"""
    with pytest.raises(AttnsError, match=r"regime\[0\]\.levls.*levels"):
        parse_matrix(text)
