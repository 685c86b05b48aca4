"""Work-precision sets and the figures drawn from them."""

import numpy as np
import pandas as pd
import pytest
import synthetic_runs as synthetic
from attns_harness.analysis import WorkPrecisionSet, prepare
from attns_harness.analysis.curve import ladder
from attns_harness.analysis.equal_error import equal_error
from attns_harness.reports.figures import render, work_precision_figure
from attns_harness.reports.style import looks

from attns_core import AttnsError, build_registry

ONE = ("henon-heiles",)
ORACLE = """
from attns_core import black_box, hookimpl


@black_box(name="oracle", tags=["learned"])
def oracle(problem, control):
    return problem.u0


@hookimpl
def attns_solvers():
    return [oracle]
"""


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


def test_the_reference_bounds_every_norm_in_its_own_unit():
    table = synthetic.table((synthetic.DOP853,), uncertainty=1e-6)
    # States of size 1000: absolute errors are that much larger than scaled ones, and so is the doubt about them.
    table["error_l2"] = 1000 * table["error_l2_scaled"]
    points = WorkPrecisionSet.from_table(table)
    scaled, absolute = (points.curve("henon-heiles", "dop853", error=e) for e in ("error_l2_scaled", "error_l2"))
    assert list(scaled.below_reference) == list(absolute.below_reference)
    assert absolute.uncertainty == pytest.approx(1e-3)
    assert not points.curve("henon-heiles", "dop853", error="invariant_drift").uncertainty.any()


def test_learned_solvers_are_swept_over_width_and_data():
    solver = synthetic.SyntheticSolver
    learned = [solver(f"rk4+attns[width={w}]", 4, 1 / w**2, 4e-6 + 1e-8 * w, "attns") for w in (8, 16, 32)]
    parts = [synthetic.table((synthetic.RK4,), ONE)]
    for made, width in zip(learned, (8, 16, 32), strict=True):
        parts += [synthetic.table((made,), ONE, (0.1, 0.05)).assign(width=width, train_trajectories=n) for n in (5, 20)]
    points = WorkPrecisionSet.from_table(pd.concat(parts, ignore_index=True).assign(cell_id=""))
    wide = points.over("width")
    assert wide.series("henon-heiles") == [
        "rk4",
        *[f"rk4+attns, {n} traj., dt={dt}" for n in (20, 5) for dt in (0.05, 0.1)],
    ]
    curve = wide.curve("henon-heiles", "rk4+attns, 5 traj., dt=0.1")
    assert sorted(set(curve.control)) == [8, 16, 32]
    assert list(wide.curve("henon-heiles", "rk4").control) == list(points.curve("henon-heiles", "rk4").control)
    data = points.over("train_trajectories").curve("henon-heiles", "rk4+attns[width=16], dt=0.05")
    assert sorted(set(data.control)) == [5, 20]
    with pytest.raises(AttnsError, match="two values of 'width'"):
        WorkPrecisionSet.from_table(parts[0]).over("width")


def test_tags_tell_family_order_provider_and_learned_black_boxes(tmp_path):
    registry = build_registry()
    table = synthetic.table((synthetic.RK4, synthetic.ATTNS), ONE)
    points = WorkPrecisionSet.from_table(table, registry)
    assert {"order-4", "runge-kutta", "classical", "fixed", "attns"} <= points.tags["rk4"]
    assert {"learned", "order-4"} <= points.tags["rk4+attns"]

    (tmp_path / "oracle.py").write_text(ORACLE)
    with_box = table[table["solver"] == "rk4+attns"].assign(solver="oracle", method=None, corrector=None, backend=None)
    registry = build_registry(plugin_files=[tmp_path / "oracle.py"])
    both = pd.concat([table[table["solver"] == "rk4"], with_box], ignore_index=True)
    points = WorkPrecisionSet.from_table(both, registry)
    assert points.curve("henon-heiles", "oracle").learned
    # A learned black box is compared and is nobody's classical baseline.
    assert set(equal_error(points)["baseline"]) <= {"rk4", ""}
    assert set(equal_error(points)["series"]) == {"oracle"}


def test_all_points_and_failures_are_listed():
    points = WorkPrecisionSet.from_table(synthetic.table(dts=(0.2, 0.1, 0.05)))
    rows = points.listed()
    assert len(rows) == len(points.table)
    lost = rows[rows["state"] == "diverged"]
    assert len(lost) == 2 * 3
    assert lost["reason"].str.contains("lost").all()
    assert lost["error"].isna().all()


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


def test_a_diagram_names_what_it_shows_in_full_and_nothing_else():
    long = "rk4+attns[activation=quintic,bandwidths=0.25,head=shared,input=uS,linear=True,margin=0.5,width={}]"
    wide = [synthetic.SyntheticSolver(long.format(w), 4, 1 / w, 5e-6, "attns") for w in (16, 32)]
    table = synthetic.table((synthetic.RK4, synthetic.EULER, *wide), ONE, (0.1, 0.05))
    table.loc[table["solver"] == "euler", ["time_min_s", "time_median_s"]] = np.nan
    points = WorkPrecisionSet.from_table(table)
    figure = work_precision_figure(points, "henon-heiles", looks(points.series()))
    figure.canvas.draw()
    (legend,) = figure.legends
    # Euler was not timed, and the two long names differ at their ends.
    names = [text.get_text().replace("\n", "") for text in legend.get_texts()]
    assert names == ["rk4", *[long.format(w) for w in (16, 32)]]
    assert legend.get_window_extent().x1 <= figure.bbox.x1
    assert legend.get_window_extent().y0 >= 0


def test_no_line_joins_fixed_steps_to_adaptive_ones():
    fixed = synthetic.table(solvers=(synthetic.DOP853,), equations=("spring-chain",))
    adaptive = fixed.assign(rtol=fixed["dt"] / 1000, dt=None, time_min_s=2.1 * fixed["time_min_s"])
    points = WorkPrecisionSet.from_table(pd.concat([fixed, adaptive], ignore_index=True))
    assert points.series() == ["dop853"]
    (line,) = [
        line
        for line in work_precision_figure(points, "spring-chain", looks(points.series())).axes[0].lines
        if line.get_gid() == "curve:dop853"
    ]
    cost = np.asarray(line.get_ydata(), dtype=float)
    assert len(cost) == 4 + 1 + 4
    assert np.flatnonzero(np.isnan(cost)).tolist() == [4]
    assert (np.diff(cost[:4]) > 0).all()
    assert (np.diff(cost[5:]) > 0).all()


def test_a_reference_far_below_all_points_does_not_empty_the_diagram():
    for uncertainty, band in ((1e-7, True), (1e-14, False)):
        points = WorkPrecisionSet.from_table(synthetic.table((synthetic.RK4,), ONE, uncertainty=uncertainty))
        axes = work_precision_figure(points, "henon-heiles", looks(points.series())).axes[0]
        assert bool(axes.patches) == band
        assert ("reference uncertain below" in axes.get_xlabel()) != band
        # The smallest error is 0.025^4.
        assert axes.get_xlim()[0] > 1e-9
