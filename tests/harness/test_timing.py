"""Timing: sampling to a budget or precision, and files that pyperf reads."""

import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyperf
import pytest
from attns_harness.analysis.table import prepare
from attns_harness.matrix import Timing
from attns_harness.store import read_store
from attns_harness.tables import read_results, read_samples
from attns_harness.timing import sample, summarise, write_pyperf
from runs import run
from synthetic_runs import RK4
from synthetic_runs import table as synthetic_table


def test_short_calls_are_looped_and_long_ones_stop_at_the_minimum() -> None:
    quick = sample(lambda: None, Timing(budget_s=0.02))
    assert quick["loops"] > 100
    assert min(quick["values"]) > 0
    began = time.perf_counter()
    slow = sample(lambda: time.sleep(0.02), Timing(budget_s=0.01, min_samples=3))
    assert time.perf_counter() - began < 0.5
    assert slow["loops"] == 1
    assert slow["time_samples"] == 3
    assert slow["time_min_s"] >= 0.02


def test_processor_time_stands_beside_what_computes_and_not_beside_what_waits_or_uses_threads() -> None:
    busy = sample(lambda: sum(range(20000)), Timing(budget_s=0.1))
    assert busy["cpu"], "pure computation has processor time"
    assert min(busy["cpu"]) == pytest.approx(min(busy["values"]), rel=0.2)
    assert sample(lambda: time.sleep(0.002), Timing(budget_s=0.05))["cpu"] == []

    def threaded() -> None:
        # Compression releases the interpreter's lock: two threads compute at once, and this one waits for them.
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(zlib.compress, [bytes(400_000)] * 2))

    assert sample(threaded, Timing(budget_s=0.05))["cpu"] == []


def test_sampling_stops_when_precise() -> None:
    # A precision that any two values have, and one that none has: the machine's noise decides nothing.
    easy = sample(lambda: time.sleep(0.001), Timing(budget_s=30, precision=1e9, min_samples=5))
    assert easy["time_samples"] == 5
    hard = sample(lambda: time.sleep(0.001), Timing(budget_s=30, precision=1e-12, min_samples=5, max_samples=9))
    assert hard["time_samples"] == 9


@pytest.mark.parametrize(
    ("values", "unstable"), [([1.0, 1.01, 1.02, 1.0, 1.01], False), ([1.0, 2.0, 1.0, 2.0, 3.0], True)]
)
def test_spread_decides_whether_a_row_is_unstable(values: list[float], unstable: bool) -> None:
    assert summarise(values, 0.1)["unstable"] is unstable


def test_pyperf_reads_checks_and_compares_our_files(tmp_path: Path) -> None:
    timing = sample(lambda: sum(range(2000)), Timing(budget_s=0.05, max_samples=20))
    for name in ("old.json", "new.json"):
        assert write_pyperf(tmp_path / name, [("a b", timing), ("c", timing)], {"cpu_model_name": "x"}) == 2
    suite = pyperf.BenchmarkSuite.load(str(tmp_path / "old.json"))
    assert suite.get_benchmark_names() == ["a b", "c"]
    assert list(suite.get_benchmark("c").get_values()) == pytest.approx(timing["values"])
    for command in (["check", "old.json"], ["compare_to", "old.json", "new.json"]):
        done = subprocess.run(
            [sys.executable, "-m", "pyperf", *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_nothing_timed_writes_no_file(tmp_path: Path) -> None:
    assert write_pyperf(tmp_path / "none.json", [], {}) == 0
    assert not (tmp_path / "none.json").exists()


ROUNDS = """
name = "rounds"
[timing]
n_trajectories = 64
rounds = {rounds}
seeds = [1]
budget_s = 0.01
min_samples = 2
[[block]]
equations = [{{ name = "lotka-volterra", t_end = 2.0, save_every = 0.5, n_trajectories = 4 }}]
methods = ["rk4"]
backends = ["numpy"]
dts = [0.25, 0.125]
seeds = [0, 1]
"""


def test_a_timed_ensemble_of_its_own_in_rounds_on_one_seed(tmp_path: Path) -> None:
    first = run(ROUNDS.format(rounds=1), tmp_path / "run")
    assert first.timed == 2
    second = run(ROUNDS.format(rounds=3), tmp_path / "run")
    assert second.executed == 0
    results = read_results(tmp_path / "run")
    timed = results[results["seed"] == 1]
    assert (timed["timed_trajectories"] == 64).all()
    assert (timed["n_trajectories"] == 4).all()
    samples = read_samples(tmp_path / "run")
    store = read_store(tmp_path / "run")
    assert {t["rounds"] for t in store.timings().values()} == {3}
    store.close()
    for row in timed.itertuples():
        assert row.time_samples == len(samples[row.cell_id]) >= 6
        assert row.time_min_s == pytest.approx(min(samples[row.cell_id]))
    assert results.loc[results["seed"] == 0, "time_min_s"].isna().all()
    table = prepare(results)
    own = (timed["time_min_s"] / 64).to_list()
    for seed in (0, 1):
        shared = table.loc[table["seed"] == seed, "time_per_trajectory_s"]
        assert shared.to_list() == pytest.approx(own)


def test_blocks_about_errors_alone_are_not_timed(tmp_path: Path) -> None:
    untimed = ROUNDS[ROUNDS.index("[[block]]") :].replace("dts = [0.25, 0.125]", "dts = [0.5]\ntimed = false")
    summary = run((ROUNDS + untimed).format(rounds=1), tmp_path / "run")
    assert summary.executed == 6
    assert summary.timed == 2
    results = read_results(tmp_path / "run")
    assert results.loc[results["dt"] == 0.5, "time_min_s"].isna().all()


def test_a_block_has_a_timed_ensemble_of_its_own(tmp_path: Path) -> None:
    block = ROUNDS[ROUNDS.index("[[block]]") :]
    own = block.replace("dts = [0.25, 0.125]", "dts = [0.5, 0.25]\ntimed_trajectories = 16")
    run((ROUNDS + own).format(rounds=1), tmp_path / "run")
    results = read_results(tmp_path / "run")
    timed = results[results["seed"] == 1].set_index("dt")["timed_trajectories"]
    # A cell in both blocks is timed in the larger ensemble.
    assert timed.to_dict() == {0.5: 16, 0.25: 64, 0.125: 64}


def test_a_failed_timing_borrows_nothing() -> None:
    rows = synthetic_table(solvers=(RK4,), equations=("spring-chain",), dts=(0.1,), seeds=(0, 1))
    rows["timing_reason"] = [None, "timeout: 120 s"]
    rows.loc[1, "time_min_s"] = None
    times = prepare(rows)["time_per_trajectory_s"]
    assert times.notna().to_list() == [True, False]
