"""Equal error, break-even, order, ranking and fairness on solvers whose constants are known."""

import math
import sys

import numpy as np
import pandas as pd
import pytest
import synthetic_runs as synthetic
from attns_harness.analysis import Study, WorkPrecisionSet, observed_order, prepare
from attns_harness.analysis.break_even import break_even
from attns_harness.analysis.crossing import cost_at, error_at, fastest
from attns_harness.analysis.crossover import crossovers
from attns_harness.analysis.equal_error import equal_cost, equal_error
from attns_harness.analysis.explosion import explosion_rates
from attns_harness.analysis.fairness import fairness
from attns_harness.analysis.intervals import geometric_interval, wilson
from attns_harness.analysis.ranking import performance_profile, win_tie_loss

from attns_core import AttnsError

ONE = ("henon-heiles",)
DTS = tuple(0.2 / 2**k for k in range(6))


def seconds(solver, error):
    """Exact cost of a synthetic solver at an error."""
    return solver.seconds_per_step / (error / solver.constant) ** (1 / solver.order)


def points(*solvers, **options):
    return WorkPrecisionSet.from_table(synthetic.table(solvers, ONE, options.pop("dts", DTS), **options))


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_equal_error_ratio_is_recovered(spread):
    found = equal_error(
        points(synthetic.RK4, synthetic.ATTNS, spread=spread, seeds=range(6)), levels=[1e-6, 1e-7, 1e-8]
    )
    for row in found.itertuples():
        truth = seconds(synthetic.RK4, row.error) / seconds(synthetic.ATTNS, row.error)
        assert row.baseline == "rk4"
        if row.status == "ok":
            assert row.ratio == pytest.approx(truth, rel=1e-6 if spread == 0 else 0.3)
            assert row.low * 0.999999 <= truth <= row.high * 1.000001
    assert "ok" in set(found["status"])


def test_baseline_is_the_fastest_at_that_error_and_the_crossover_is_right():
    wp = points(synthetic.RK4, synthetic.DOP853)
    curves = {name: wp.curve("henon-heiles", name) for name in ("rk4", "dop853")}
    # 4e-6 / e**(1/4) = 12e-6 / (e / 10)**(1/8)
    crossover = (4e-6 / (12e-6 * 10 ** (1 / 8))) ** 8
    assert fastest(curves, crossover * 1.3)[0] == "rk4"
    assert fastest(curves, crossover / 1.3)[0] == "dop853"


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_crossovers_are_recovered_within_their_intervals(spread):
    wide = (0.8, 0.4, *DTS)
    found = crossovers(points(synthetic.RK4, synthetic.DOP853, spread=spread, seeds=range(9), dts=wide))
    truth = (4e-6 / (12e-6 * 10 ** (1 / 8))) ** 8
    (row,) = found[found["cheaper_below"] == "dop853"].itertuples()
    assert row.cheaper_above == "rk4"
    assert row.seeds == 9
    # Noise of 10 % in times shifts a crossing of so flat curves (the eighth power of a ratio) by a factor.
    assert row.error == pytest.approx(truth, rel=1e-6 if spread == 0 else 1.0)
    assert row.low * 0.999 <= truth <= row.high * 1.001
    assert row.cost == pytest.approx(seconds(synthetic.RK4, truth), rel=1e-6 if spread == 0 else 0.3)
    one = points(synthetic.RK4)
    assert crossovers(one).empty


def test_statuses_where_curves_do_not_overlap():
    # RK4 goes from 1.6e-3 to 1.5e-9, the corrected one from 1.6e-6 to 1.5e-12.
    levels = [1e-2, 1e-5, 1e-7, 1e-10, 1e-14]
    found = equal_error(points(synthetic.RK4, synthetic.ATTNS), levels=levels).set_index("error")
    assert found["status"].to_dict() == {
        1e-2: "undetermined",
        1e-5: "at least",
        1e-7: "ok",
        1e-10: "baseline not reached",
        1e-14: "not reached",
    }
    assert found["ratio"][[1e-10, 1e-14]].isna().all()
    reverse = WorkPrecisionSet.from_table(synthetic.table((synthetic.DOP853, synthetic.EARLY), ONE, DTS))
    assert equal_error(reverse, levels=[1e-4])["status"].tolist() == ["at most"]


def test_a_seed_that_diverges_leaves_the_level_not_reached():
    table = synthetic.table((synthetic.RK4, synthetic.ATTNS), ONE, DTS)
    lost = (table["solver"] == "rk4+attns") & (table["seed"] == 1)
    table.loc[lost, ["state", "error_l2_scaled"]] = ["diverged", None]
    found = equal_error(WorkPrecisionSet.from_table(table), levels=[1e-9])
    assert found.loc[0, "status"] == "not reached"
    assert (found.loc[0, "seeds"], found.loc[0, "seeds_reached"]) == (3, 2)


def test_error_ratio_at_equal_time():
    found = equal_cost(points(synthetic.RK4, synthetic.ATTNS))
    inside = found[found["status"] == "ok"]
    assert len(inside) >= 3
    for row in inside.itertuples():
        truth = (synthetic.RK4.seconds_per_step / row.cost) ** 4 / (1e-3 * row.control**4)
        assert row.ratio == pytest.approx(truth, rel=1e-6)


@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_break_even_is_recovered_and_infinite_where_nothing_is_saved(spread):
    found = break_even(points(synthetic.RK4, synthetic.ATTNS, synthetic.EARLY, spread=spread, seeds=range(6)))
    ours = found[(found["series"] == "rk4+attns") & (found["status"] == "ok")]
    assert len(ours) >= 2
    for row in ours.itertuples():
        error = 1e-3 * row.control**4
        truth = 4.0 / (seconds(synthetic.RK4, error) - 8e-6 / row.control)
        assert row.trajectories == pytest.approx(truth, rel=1e-6 if spread == 0 else 0.2)
        assert row.low * 0.999999 <= truth <= row.high * 1.000001
    costly = found[found["series"] == "rk4+early"]
    assert set(costly["status"]) <= {"never", "at least"}
    assert np.isinf(costly.loc[costly["status"] == "never", "trajectories"]).all()


def test_of_classical_solvers_that_are_fastest_as_often_the_first_is_named(monkeypatch):
    module = sys.modules[break_even.__module__]
    names = iter(10 * ["e", "b", "d", "a", "c"])
    monkeypatch.setattr(module, "fastest", lambda curves, error: (next(names), fastest(curves, error)[1]))
    found = break_even(points(synthetic.RK4, synthetic.ATTNS, seeds=range(5)))
    assert set(found["baseline"]) - {""} == {"e"}


def test_unknown_training_cost_is_said():
    free = synthetic.SyntheticSolver("rk4+attns", 4, 1e-3, 8e-6, "attns")
    assert set(break_even(points(synthetic.RK4, free))["status"]) <= {
        "training cost unknown",
        "classical does not reach it",
    }


@pytest.mark.parametrize("order", [1, 4, 8])
def test_observed_order_finds_the_asymptotic_range(order):
    dts = np.array([0.5 / 2**k for k in range(9)])
    errors = 3 * dts**order * (1 + 10 * dts**2) + 1e-14
    found = observed_order(dts, errors, floor=1e-14)
    assert found.straight
    assert found.low - 0.15 <= order <= found.high + 0.15
    assert found.order == pytest.approx(order, abs=0.2)
    assert found.dt_max < 0.5
    assert found.points >= 3


def test_order_needs_three_points():
    with pytest.raises(AttnsError, match="3 steps"):
        observed_order([0.1, 0.05], [1e-2, 1e-3])


def test_reading_curves_off_their_ends():
    curve = points(synthetic.RK4).curve("henon-heiles", "rk4")
    assert cost_at(curve, 1.0).status == "at most"
    assert cost_at(curve, 1e-30).status == "not reached"
    assert error_at(curve, 1e-9).status == "not reached"
    assert error_at(curve, 1e9).status == "at most"
    middle = cost_at(curve, 1e-5)
    assert middle.value == pytest.approx(seconds(synthetic.RK4, 1e-5))
    assert error_at(curve, middle.value).value == pytest.approx(1e-5)


def test_profiles_count_failures_as_infinity():
    study = Study(prepare(synthetic.table((synthetic.EULER, synthetic.RK4, synthetic.DOP853), dts=DTS)), "t")
    profile = study.profile
    assert (profile["100"] <= profile["solved"]).all()
    assert profile.loc["euler", "solved"] < profile.loc["dop853", "solved"]
    assert profile["1"].sum() == pytest.approx(1.0)
    assert performance_profile(study.costs.iloc[:0]).shape[0] == 3


def test_win_tie_loss_against_the_best_of_the_baselines():
    study = Study(prepare(synthetic.table((synthetic.RK4, synthetic.ATTNS, synthetic.LINEAR), dts=DTS)), "t")
    ranking = win_tie_loss(study.costs, ["rk4"]).set_index("series")
    # At coarse errors RK4 is cheaper than the corrected method's coarsest step, at fine ones it is not.
    assert ranking.loc["rk4+attns", "wins"] > ranking.loc["rk4+attns", "losses"] > 0
    # Twice as accurate for 1.25 times the cost is a loss of 5 %, a tie, and a win where RK4 does not reach.
    assert ranking.loc["rk4+linear", "ties"] > ranking.loc["rk4+linear", "losses"]
    truth = 1e3**0.25 / 2
    fine = win_tie_loss(study.costs[study.costs.index.get_level_values("error") < 1e-6], ["rk4"])
    assert fine.set_index("series").loc["rk4+attns", "ratio"] == pytest.approx(truth)


def test_explosion_rates_have_wilson_intervals():
    rates = explosion_rates(prepare(synthetic.table((synthetic.EULER,), ONE, (0.2, 0.1)))).set_index("control")
    assert rates.loc[0.2, "rate"] == pytest.approx(0.4)
    assert rates.loc[0.2, "low"] == pytest.approx(0.346, abs=0.002)
    assert rates.loc[0.2, "high"] == pytest.approx(0.456, abs=0.002)
    assert rates.loc[0.1, "rate"] == 0 == rates.loc[0.1, "low"]
    assert wilson(0, 0).low is None


def test_explosion_rates_over_noise_join_what_series_keep_apart():
    one = synthetic.table((synthetic.ATTNS,), ONE, (0.1,), (0, 1))
    noisy = one.assign(noise=0.01, diverged_fraction=0.2, state="diverged")
    study = Study(prepare(pd.concat([one, noisy], ignore_index=True)), "noise")
    rates = study.explosions_over_noise
    assert rates["series"].tolist() == ["rk4+attns, dt=0.1"] * 2
    assert rates["rate"].tolist() == pytest.approx([0.0, 0.2])
    assert Study(prepare(one), "quiet").explosions_over_noise.empty


def test_intervals_cover_and_admit_that_one_value_has_none():
    rng = np.random.default_rng(1)
    covered = sum(geometric_interval(np.exp(rng.normal(0, 1, 5))).contains(1.0) for _ in range(200))
    assert covered >= 180
    assert geometric_interval([2.0]).low is None


def test_fairness_names_what_fails():
    complete = prepare(synthetic.table(dts=DTS, uncertainty=1e-18).assign(order=lambda t: t["method"].map(
        {"dop853": 8, "rk4": 4, "euler": 1})))  # fmt: skip
    assert [c.name for c in fairness(complete) if c.passed is False] == []
    weak = prepare(
        synthetic.table((synthetic.RK4, synthetic.ATTNS), dts=(0.1,), seeds=(0,), uncertainty=1e-5)
        .assign(train_seconds=None, held_out_relative_error=None)
        .assign(dtype=lambda t: np.where(t["corrector"].notna(), "float32", "float64"))
    )
    weak.loc[0, "state"] = "timeout"
    checks = fairness(weak)
    assert sum(c.passed is False for c in checks) >= 8
    untimed = prepare(synthetic.table(dts=DTS).assign(time_min_s=None))
    (counted,) = [c for c in fairness(untimed) if "nothing was timed" in c.name]
    assert counted.passed is False
    assert "henon-heiles: rk4+attns" in counted.rows
    assert all(c.passed for c in fairness(untimed.assign(operations=1.0)) if "nothing was timed" in c.name)
    box = prepare(synthetic.table(dts=DTS).assign(threads=1))
    box.loc[box["solver"] == "dop853", ["third_party", "threads", "backend"]] = [True, 2, ""]
    (settings,) = [c for c in fairness(box) if "threads" in c.name]
    assert [row.split(": ")[1] for row in settings.rows] == ["threads is 1, 2"] * 2
    assert all(c.rows for c in checks if c.passed is False)
    only_classical = fairness(prepare(synthetic.table((synthetic.RK4,))))
    assert any(c.passed is None for c in only_classical)


def test_a_study_with_failures_completes_and_counts_them():
    table = synthetic.table(dts=DTS, spread=0.1)
    rng = np.random.default_rng(0)
    failed = rng.permutation(len(table))[: int(0.3 * len(table))]
    table.loc[failed, "state"] = rng.choice(["error", "timeout", "crashed", "oom", "skipped"], len(failed))
    table.loc[failed, "reason"] = "planted"
    numbers = [c for c in table if c.startswith(("error", "time", "nfe", "first", "inv", "roll", "div", "ref"))]
    table.loc[failed, numbers] = None
    study = Study(prepare(table), "failures")
    for name in ("equal_error", "equal_cost", "break_even", "orders", "explosions", "profile", "ranking", "fairness"):
        assert len(getattr(study, name)) > 0, name
    assert (study.failures["reason"] == "planted").sum() == len(failed)
    assert study.explosions["failed"].sum() == len(failed)
    counted = sum(len(study.points.curve(p, s).failures) for p in study.points.problems for s in study.points.series(p))
    assert counted == len(study.failures)
    for frame in (study.equal_error, study.break_even):
        assert frame["ratio" if "ratio" in frame else "trajectories"].map(lambda v: not math.isnan(v)).any()


def test_empty_and_hopeless_runs_are_analysed():
    for table in (synthetic.table().iloc[:0], synthetic.table().iloc[:1], synthetic.table().assign(state="error")):
        study = Study(prepare(table), "edge")
        assert len(study.equal_error) == 0 or set(study.equal_error["status"]) == {"not reached"}
        assert study.fairness
        assert study.profile is not None
        assert study.ranking is not None
