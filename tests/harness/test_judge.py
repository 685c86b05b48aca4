"""Judgements of timings, accuracy and stability, on synthetic noise with a known answer."""

from functools import partial

import numpy as np
import pytest
from attns_harness.analysis import BenchmarkGroup, Measured, Side, Tolerance, Trial, judge

from attns_core import AttnsError

KEY = ("henon-heiles", "rk4")


def timings(rng, *, slow=1.0, n=30, busy=True):
    """Milliseconds on a shared two-core machine: skewed noise, rare spikes, and slow phases of a run."""
    base = 1e-3 * slow * (1 + rng.gamma(1.5, 0.02, n))
    base *= np.where(rng.random(n) < 0.05, rng.uniform(1.3, 3, n), 1.0)
    phase = rng.uniform(1.0, 1.15) if busy and rng.random() < 0.3 else 1.0
    return base * np.where(np.arange(n) < rng.integers(0, n + 1), phase, 1.0)


def overloaded(rng, *, slow=1.0, n=30):
    """A machine with five programs per core: the clock is useless, processor time has a caches' worth of noise."""
    cpu = 1e-3 * slow * (1 + rng.gamma(1.5, 0.02, n))
    return Trial(tuple(cpu * rng.uniform(1.0, 6.0, n)), tuple(cpu))


def alternately(rng, slow, key, n=30):
    """Both sides measured in turn, so that a slow phase meets both."""
    del key
    phase = np.where(np.arange(n) < rng.integers(0, n + 1), rng.uniform(1.0, 1.15), 1.0)
    pair = timings(rng, slow=slow, n=n, busy=False) * phase, timings(rng, n=n, busy=False) * phase
    return [Trial(tuple(side)) for side in pair]


def sides(new, old):
    return Side(BenchmarkGroup.of({KEY: new})), Side(BenchmarkGroup.of({KEY: old}))


def verdicts(slow, trials=100):
    found = []
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        rerun = partial(alternately, rng, slow)
        found += [j.verdict for j in judge(*sides(timings(rng, slow=slow), timings(rng)), rerun=rerun)]
    return found


def test_identical_code_is_no_regression_in_95_of_100_trials():
    found = verdicts(1.0)
    assert sum(v != "regression" for v in found) >= 95


def test_ten_percent_slower_is_found_in_90_of_100_trials():
    found = verdicts(1.10)
    assert sum(v == "regression" for v in found) >= 90


@pytest.mark.parametrize(("slow", "verdict"), [(1.0, "invariant"), (1.1, "regression"), (1 / 1.1, "improvement")])
def test_processor_time_decides_on_an_overloaded_machine(slow, verdict):
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        stored = [Side(BenchmarkGroup({KEY: overloaded(rng, slow=f)})) for f in (slow, 1.0)]

        def rerun(key, rng=rng):
            return [overloaded(rng, slow=f) for f in (slow, 1.0)]

        found += judge(*stored, rerun=rerun)
    assert sum(j.verdict == verdict for j in found) >= 38
    assert all("processor time" in j.remark for j in found)
    # The same on the clock is noise, and said to be.
    rng = np.random.default_rng(0)
    clock = [Trial(overloaded(rng, slow=f).samples) for f in (slow, 1.0)]
    (lost,) = judge(*[Side(BenchmarkGroup({KEY: t})) for t in clock], rerun=lambda key: clock)
    assert lost.remark.endswith("too noisy to tell")


def test_processor_time_of_one_side_alone_compares_with_nothing():
    (found,) = judge(
        Side(BenchmarkGroup({KEY: Trial((1.0, 1.01), (0.1, 0.1))})), Side(BenchmarkGroup({KEY: Trial((1.0, 1.01))}))
    )
    assert found.verdict == "invariant"
    assert found.new == 1.0


def test_twice_as_fast_is_an_improvement_and_a_flag_without_rerun_says_so():
    rng = np.random.default_rng(0)
    new, old = timings(rng, slow=0.5), timings(rng)
    (faster,) = judge(*sides(new, old))
    assert faster.verdict == "improvement"
    assert faster.ratio.value == pytest.approx(0.5, rel=0.1)
    (slower,) = judge(*sides(old, new))
    assert slower.verdict == "regression"
    assert "not measured again" in slower.remark
    same = Trial(tuple(new))
    (cleared,) = judge(*sides(old, new), rerun=lambda key: (same, same))
    assert cleared.verdict == "invariant"
    assert "regression by the stored timings" in cleared.remark
    (single,) = judge(*sides(old[:1], new[:1]))
    assert single.verdict == "invariant"
    assert "one timing" in single.remark


def test_what_is_shown_to_be_unchanged_is_not_measured_again():
    rng = np.random.default_rng(0)
    calm = [1e-3 * (1 + rng.uniform(0, 0.01, 30)) for _ in range(2)]
    (found,) = judge(*sides(*calm), rerun=lambda key: pytest.fail(f"{key} was measured again"))
    assert (found.verdict, found.remark) == ("invariant", "")


def measured(factor, *, spread=0.0, n=5, **options):
    rng = np.random.default_rng(3)
    return Measured(errors={float(s): factor * np.exp(spread * rng.normal()) for s in range(n)}, **options)


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        (measured(2e-6), measured(1e-6), "regression"),
        (measured(1e-6), measured(2e-6), "improvement"),
        (measured(1.05e-6), measured(1e-6), "invariant"),
        (measured(3e-15, uncertainty=1e-13), measured(1e-15, uncertainty=1e-13), "invariant"),
        (Measured(errors={0.0: 5e-6, 1.0: 1e-6}), Measured(errors={0.0: 1e-6, 1.0: 2e-6}), "invariant"),
    ],
)
def test_accuracy(new, old, verdict):
    found = judge(Side(measured={KEY: new}), Side(measured={KEY: old}))
    assert [j.verdict for j in found if j.aspect == "accuracy"] == [verdict]


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        (Measured(diverged=40, trajectories=100), Measured(diverged=2, trajectories=100), "regression"),
        (Measured(diverged=0, trajectories=100), Measured(diverged=30, trajectories=100), "improvement"),
        (Measured(diverged=3, trajectories=100), Measured(diverged=1, trajectories=100), "invariant"),
        (Measured(state="crashed"), Measured(trajectories=100), "regression"),
        (Measured(trajectories=10), Measured(state="timeout"), "improvement"),
        (Measured(state="crashed"), Measured(state="timeout"), "invariant"),
    ],
)
def test_stability(new, old, verdict):
    found = judge(Side(measured={KEY: new}), Side(measured={KEY: old}), Tolerance())
    assert [j.verdict for j in found if j.aspect == "stability"] == [verdict]


def test_groups_are_filtered_saved_and_loaded(tmp_path):
    group = BenchmarkGroup(
        {("chain", "rk4"): Trial((1.0, 2.0)), ("chain", "attns"): Trial((3.0,)), ("kepler", "rk4"): Trial((4.0,))},
        {("chain", "attns"): frozenset({"learned"})},
    )
    assert set(group.tagged("chain", without=["learned"])) == {("chain", "rk4")}
    assert set(group.tagged("rk4")) == {("chain", "rk4"), ("kepler", "rk4")}
    assert group.estimates("median")["chain", "rk4"] == 1.5
    assert len(group.only([("kepler", "rk4"), ("unknown",)])) == 1
    group.save(tmp_path / "group.json")
    again = BenchmarkGroup.load(tmp_path / "group.json")
    assert dict(again.trials) == dict(group.trials)
    assert again.tags["chain", "attns"] == {"learned"}
    (tmp_path / "bad.json").write_text('{"format": 1, "trials": [{"key": ["a"]}]}')
    with pytest.raises(AttnsError, match="not a saved benchmark group"):
        BenchmarkGroup.load(tmp_path / "bad.json")
    for wrong in ((), (0.0,), (float("nan"),)):
        with pytest.raises(AttnsError, match="positive finite timings"):
            Trial(wrong)
