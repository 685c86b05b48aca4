"""Solvers that misbehave cost their own cell and nothing else."""

import os
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from attns_harness.executors.local import MARK
from attns_harness.store import read_store
from attns_harness.tables import read_results
from runs import matrix_text, run, stable

BAD = {
    "raises": "error",
    "not-a-number": "diverged",
    "wrong-shape": "error",
    "not-a-solution": "error",
    "hangs-in-python": "timeout",
    "hangs-in-native-code": "timeout",
    "segfaults": "crashed",
    "exits": "crashed",
    "exits-in-peace": "crashed",
    "calls-sys-exit": "error",
    "leaks": "oom",
    "keeps-memory": "ok",
    "prints": "ok",
    "changes-state": "ok",
    "spawns": "ok",
    "spawns-and-dies": "crashed",
}
HEALTHY = ["heun", "noisy", "relative"]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    before = os.getcwd()
    # The deadline is long enough for a machine that is busy with other things.
    run(matrix_text([*HEALTHY, *BAD], dts=(0.25,), deadline_s=8.0), folder, workers=2)
    assert os.getcwd() == before
    return folder


@pytest.fixture(scope="module")
def table(mixed: Path) -> pd.DataFrame:
    return read_results(mixed).set_index("solver", drop=False)


@pytest.mark.parametrize(("solver", "state"), BAD.items())
def test_bad_solvers_get_their_state_and_a_reason(table: pd.DataFrame, solver: str, state: str) -> None:
    row = table.loc[solver]
    assert row["state"] == state, row["reason"]
    if state not in ("ok", "diverged"):
        assert row["reason"]


def test_healthy_rows_are_the_same_without_the_bad(mixed: Path, tmp_path: Path) -> None:
    run(matrix_text(HEALTHY, dts=(0.25,)), tmp_path)
    alone = read_results(tmp_path)
    among = read_results(mixed)
    among = among[among["solver"].isin(HEALTHY)]
    assert len(alone) == len(HEALTHY)
    assert (alone["state"] == "ok").all()
    assert stable(alone) == stable(among)


def test_failures_keep_traceback_signal_and_output(mixed: Path) -> None:
    store = read_store(mixed)
    failures = {f["label"].split()[1]: f for f in store.failures(100)}
    outputs = {r["label"].split()[1]: r["output"] for r in store.rows()}
    store.close()
    assert "no such luck" in failures["raises"]["traceback"]
    assert "SIGSEGV" in failures["segfaults"]["reason"]
    assert "Fatal Python error" in failures["segfaults"]["output"]
    assert "code 7" in failures["exits"]["reason"]
    assert "code 0" in failures["exits-in-peace"]["reason"]
    assert "8 s" in failures["hangs-in-native-code"]["reason"]
    assert "(9, 2, 3)" in failures["wrong-shape"]["reason"]
    assert "hello from the solver" in outputs["prints"]
    assert "and from below" in outputs["prints"]


def test_no_process_outlives_the_run(mixed: Path) -> None:
    time.sleep(0.1)
    sleepers = [p for p in psutil.process_iter(["cmdline"]) if "3599" in (p.info["cmdline"] or [])]
    assert sleepers == []
    assert MARK not in os.environ


def test_a_timing_that_fails_is_told_and_leaves_the_result(tmp_path: Path) -> None:
    text = matrix_text(["heun"], dts=(0.25,), timing=True)
    endless = "budget_s = 60\nprecision = 1e-12\nmax_samples = 100000\ndeadline_s = 0.3"
    text = text.replace("budget_s = 0.02", endless)
    summary = run(text, tmp_path)
    assert (summary.timed, summary.untimed) == (0, 1)
    row = read_results(tmp_path).iloc[0]
    assert row["state"] == "ok"
    assert "timeout" in row["timing_reason"]
