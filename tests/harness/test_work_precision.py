"""Work-precision sets and the figures drawn from them."""

import numpy as np
import pandas as pd
import pytest
import synthetic_runs as synthetic
from attns_harness.analysis import WorkPrecisionSet, prepare
from attns_harness.analysis.work_precision import ladder
from attns_harness.reports.figures import render, work_precision_figure
from attns_harness.reports.style import looks

from attns_core import AttnsError


def test_curves_are_ordered_by_cost_and_keep_what_failed():
    points = WorkPrecisionSet.from_table(synthetic.table(dts=(0.2, 0.1, 0.05)))
    curve = points.curve("henon-heiles", "euler")
    assert list(curve.control) == [0.1] * 3 + [0.05] * 3
    assert np.all(np.diff(curve.cost) >= 0)
    assert list(curve.failures["state"]) == ["diverged"] * 3
    assert all("lost" in reason for reason in curve.failures["reason"])
    means = points.curve("henon-heiles", "rk4", cost="nfe").means()
    assert means["cost"].tolist() == pytest.approx([20, 40, 80])
    assert means["error"].tolist() == pytest.approx([0.2**4, 0.1**4, 0.05**4])


def test_points_below_the_reference_are_flagged():
    points = WorkPrecisionSet.from_table(synthetic.table(uncertainty=1e-6))
    curve = points.curve("henon-heiles", "dop853")
    assert list(curve.below_reference) == list(curve.error <= 1e-6)
    assert curve.below_reference.any()
    assert not curve.below_reference.all()


def test_series_are_split_only_where_they_must_be():
    one = synthetic.table(solvers=(synthetic.RK4, synthetic.ATTNS))
    few = one[one["solver"] == "rk4+attns"].assign(train_trajectories=5, input="S")
    both = prepare(pd.concat([one.assign(input="uS"), few], ignore_index=True))
    assert sorted(both["series"].unique()) == ["rk4", "rk4+attns, 20 traj.", "rk4+attns, 5 traj."]
    assert sorted(prepare(one)["series"].unique()) == ["rk4", "rk4+attns"]


def test_save_load_merge_filter(tmp_path):
    points = WorkPrecisionSet.from_table(synthetic.table())
    points.save(tmp_path / "a" / "points.parquet")
    again = WorkPrecisionSet.load(tmp_path / "a" / "points.parquet")
    assert again.tags == points.tags
    assert again.table.equals(points.table)
    assert len(points.merge(again).table) == len(points.table)
    other = WorkPrecisionSet.from_table(synthetic.table(equations=("kepler",)))
    assert set(points.merge(other).problems) == {"henon-heiles", "kepler", "spring-chain"}
    assert set(points.filter("learned").table["solver"]) == {"rk4+attns", "rk4+linear"}
    assert set(points.exclude("learned").table["solver"]) == {"euler", "rk4", "dop853"}
    assert points.filter(problem="henon-heiles").problems == ["henon-heiles"]
    synthetic.table().to_parquet(tmp_path / "other.parquet")
    with pytest.raises(AttnsError, match="not a work-precision set"):
        WorkPrecisionSet.load(tmp_path / "other.parquet")


def test_unknown_axes_say_what_is_there():
    points = WorkPrecisionSet.from_table(synthetic.table())
    with pytest.raises(AttnsError, match="known: time, nfe"):
        points.curve("henon-heiles", "rk4", cost="watts")
    with pytest.raises(AttnsError, match="error_l2_scaled"):
        points.curve("henon-heiles", "rk4", error="error_mean")


def test_ladder_stays_inside_the_measured_range():
    assert ladder([3e-2, 2e-5]) == pytest.approx([1e-2, 1e-3, 1e-4])
    assert ladder([0.0, float("nan")]) == []
    assert len(ladder([1.0, 1e-30])) <= 8


def test_a_look_is_kept_across_reports_and_unique_within_one():
    names = [f"solver-{i}" for i in range(30)]
    drawn = looks(names, learned=["solver-3"])
    assert len({(look.colour, look.marker) for look in drawn.values()}) == 30
    assert drawn["solver-3"].dashed
    assert looks(["rk4"])["rk4"] == looks(["rk4", "euler"])["rk4"]


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_figures_survive_zeros_failures_and_missing_values(kind):
    table = synthetic.table(equations=("kepler $x^2$",))
    table.loc[table.index[-1], "error_l2_scaled"] = 0.0
    table.loc[table.index[0:5], ["state", "error_l2_scaled", "time_min_s"]] = ["crashed", None, None]
    table.loc[table.index[6], "error_l2_scaled"] = np.inf
    points = WorkPrecisionSet.from_table(table)
    first = render(work_precision_figure(points, "kepler $x^2$", looks(points.series())), kind)
    second = render(work_precision_figure(points, "kepler $x^2$", looks(points.series())), kind)
    assert first == second
    assert len(first) > 5000
