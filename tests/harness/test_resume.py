"""A run that is killed, interrupted or out of disk continues, and ends with the same table."""

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from attns_harness.analysis.sides import read_side, refuse_unlike
from attns_harness.journal import JOURNAL, StoreFullError
from attns_harness.ownership import owner_of
from attns_harness.store import open_store, read_store
from attns_harness.tables import read_results
from runs import HERE, matrix_text, run, stable

from attns_core.errors import AttnsError

SOLVERS = ["heun", "noisy", "relative", "raises", "not-a-number"]
TEXT = matrix_text(SOLVERS, seeds=6, dts=(0.25, 0.125, 0.0625))
CELLS = len(SOLVERS) * 6 * 3


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("whole")
    summary = run(TEXT, folder)
    assert summary.executed == CELLS
    return stable(read_results(folder))


def start(folder: Path) -> "subprocess.Popen[str]":
    """A run in a process group of its own."""
    folder.mkdir(exist_ok=True)
    matrix = HERE / f"{folder.name}.tmp.toml"
    matrix.write_text(TEXT, encoding="utf-8")
    command = [sys.executable, "-m", "attns_harness", "run", str(matrix), "--out", str(folder)]
    command += ["--no-report", "--workers", "2", "--allow-failures"]
    return subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture
def folder(tmp_path: Path) -> object:
    yield tmp_path
    (HERE / f"{tmp_path.name}.tmp.toml").unlink(missing_ok=True)


def solved(folder: Path) -> int:
    """Cells with a result so far."""
    if not (folder / JOURNAL).is_file():
        return 0
    try:
        store = read_store(folder)
    except AttnsError:  # its schema is being written
        return 0
    try:
        return sum(n for state, n in store.counts().items() if state != "not_run")
    finally:
        store.close()


def wait_for(folder: Path, cells: int, process: "subprocess.Popen[str]", timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while solved(folder) < cells and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


def kill_group(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


@pytest.mark.parametrize("moment", [3, 60])
def test_killed_run_resumes_to_the_same_table(expected: str, folder: Path, moment: int) -> None:
    process = start(folder)
    wait_for(folder, moment, process)
    kill_group(process)
    before = solved(folder)
    assert owner_of(folder) is None
    summary = run(TEXT, folder)
    assert summary.executed == CELLS - before
    assert stable(read_results(folder)) == expected


@pytest.mark.soak
def test_killed_at_fifty_random_moments(expected: str, folder: Path) -> None:
    rng, before = random.Random(7), 0
    for _ in range(50):
        process = start(folder)
        time.sleep(rng.uniform(0.2, 6.0))
        if process.poll() is None:
            kill_group(process)
        else:
            process.communicate()
        assert solved(folder) >= before, "a stored result was lost"
        before = solved(folder)
        if before == CELLS:
            for path in folder.iterdir():
                if path.name.startswith("journal"):
                    path.unlink()
            before = 0
    run(TEXT, folder)
    assert stable(read_results(folder)) == expected


def test_no_worker_survives_its_coordinator(folder: Path) -> None:
    process = start(folder)
    wait_for(folder, 1, process)
    workers = psutil.Process(process.pid).children(recursive=True)
    kill_group(process)
    gone, alive = psutil.wait_procs(workers, timeout=5)
    assert gone
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []


def test_interrupt_ends_within_seconds_and_says_how_to_continue(expected: str, folder: Path) -> None:
    process = start(folder)
    wait_for(folder, 5, process)
    began = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert process.returncode == 130, output
    assert "Continue with: attns run" in output
    table = read_results(folder)
    assert len(table) == CELLS
    assert set(table["state"]) - {"not_run"}
    run(TEXT, folder)
    assert stable(read_results(folder)) == expected


def test_a_second_run_on_the_same_folder_is_refused_with_the_pid(tmp_path: Path) -> None:
    with open_store(tmp_path), pytest.raises(AttnsError, match=str(os.getpid())):
        run(TEXT, tmp_path)
    assert owner_of(tmp_path) is None


def test_full_disk_is_reported_and_nothing_stored_is_lost(tmp_path: Path) -> None:
    text = matrix_text(["heun"], seeds=2)
    run(text, tmp_path)
    before = stable(read_results(tmp_path))
    grown = matrix_text(["heun", "noisy"], seeds=40)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file-size limit is what a quota looks like from inside: the journal cannot grow.
    size = max(p.stat().st_size for p in tmp_path.glob("journal.sqlite*"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 8192, hard))
    try:
        with pytest.raises(StoreFullError, match="free some space"):
            run(grown, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    run(text, tmp_path)
    assert stable(read_results(tmp_path)) == before
    run(grown, tmp_path)
    assert set(read_results(tmp_path)["state"]) == {"ok"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, a few hundred kilobytes large."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_small_disk_that_grows_fills_again_and_again_and_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    text, out = matrix_text(["heun", "noisy"], seeds=6, dts=(0.25, 0.125, 0.0625)), small_disk / "run"
    stored, messages = [0], []
    for kilobytes in (300, 400, 550, 20_000):
        subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(small_disk)], check=True)
        try:
            run(text, out)
        except StoreFullError as error:
            messages.append(str(error))
        stored.append(solved(out))
        assert stored[-1] >= stored[-2], "a stored result was lost"
    assert messages
    assert all("free some space" in message for message in messages)
    assert stored[-1] == 36
    run(text, tmp_path / "elsewhere")
    assert stable(read_results(out)) == stable(read_results(tmp_path / "elsewhere"))


def test_finished_cells_are_not_repeated_and_only_selects(tmp_path: Path) -> None:
    text = matrix_text(["heun", "raises"])
    assert run(text, tmp_path).executed == 4
    assert run(text, tmp_path).executed == 0
    assert run(text, tmp_path, retry=True).executed == 2
    assert run(text, tmp_path, only=("failed",)).executed == 2
    assert run(text, tmp_path, only=("missing",)).executed == 0
    assert run(text, tmp_path, only=("failed", "missing")).executed == 2
    with pytest.raises(AttnsError, match="--only takes"):
        run(text, tmp_path, only=("broken",))


def test_changed_plugin_makes_its_cells_stale(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    source = (HERE / "misbehaving.py").read_text(encoding="utf-8")
    plugin.write_text(source, encoding="utf-8")
    text = matrix_text(["heun"]).replace("misbehaving.py", str(plugin))
    out = tmp_path / "out"
    assert run(text, out).executed == 2
    plugin.write_text(source + "\n# a comment changes nothing\n", encoding="utf-8")
    assert run(text, out).executed == 0
    plugin.write_text(source + "\nFACTOR = 2\n", encoding="utf-8")
    assert run(text, out, only=("missing",)).executed == 0
    assert set(read_results(out)["state"]) == {"stale"}
    assert read_results(out)["reason"].str.contains("solver").all()
    assert run(text, out).executed == 2
    assert set(read_results(out)["state"]) == {"ok"}


def test_damaged_artefact_is_built_again(tmp_path: Path) -> None:
    run(matrix_text(["heun"]), tmp_path)
    before = stable(read_results(tmp_path))
    for reference in (tmp_path / "artefacts").rglob("reference.npz"):
        reference.write_bytes(b"rubbish")
    store = read_store(tmp_path)
    rows = [json.dumps(r["columns"], allow_nan=False) for r in store.rows()]
    store.close()
    assert rows
    run(matrix_text(["heun", "noisy"]), tmp_path)
    table = read_results(tmp_path)
    assert set(table["state"]) == {"ok"}
    assert stable(table[table["solver"] == "heun"]) == before
    store = read_store(tmp_path)
    runs = {r["label"].split()[1]: r["run"] for r in store.rows()}
    store.close()
    assert runs == {"heun": 2, "noisy": 2}, "what rested on the old reference is run again"


TRAINED = """
name = "trained"
[timing]
budget_s = 0.01
max_samples = 5
[[block]]
equations = [{ name = "lotka-volterra", t_end = 1.0, n_trajectories = 2 }]
methods = ["rk4"]
backends = ["numpy"]
correctors = ["attns"]
train_trajectories = [2]
dt_factors = [1]
"""


def test_weights_damaged_before_timing_are_built_again_and_their_result_is_stale(tmp_path: Path) -> None:
    assert run(TRAINED, tmp_path).timed == 1
    (weights,) = (tmp_path / "artefacts").rglob("*.safetensors")
    weights.write_bytes(b"rubbish")
    with sqlite3.connect(tmp_path / JOURNAL) as connection:
        connection.execute("UPDATE cells SET timing = NULL")
    connection.close()
    summary = run(TRAINED, tmp_path)
    assert (summary.executed, summary.timed, summary.untimed) == (0, 1, 0)
    row = read_results(tmp_path).iloc[0]
    assert (row["state"], row["reason"].split(":")[0]) == ("stale", "changed since")
    assert "training" in row["reason"]
    assert run(TRAINED, tmp_path).counts == {"ok": 1}


def test_timings_of_an_unlike_machine_are_refused_unless_forced(tmp_path: Path) -> None:
    text = matrix_text(["heun"], dts=(0.25,), timing=True)
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        assert run(text, folder).timed == 1
    refuse_unlike(read_side(here)[0], read_side(there)[0])
    with sqlite3.connect(there / JOURNAL) as connection:
        connection.execute("UPDATE runs SET provenance = json_set(provenance, '$.machine.cpu', 'abacus')")
    connection.close()
    with pytest.raises(AttnsError, match=r"unlike machines \(cpu 'abacus' against"):
        refuse_unlike(read_side(here)[0], read_side(there)[0])
    grown = matrix_text(["heun"], dts=(0.25, 0.125), timing=True)
    with pytest.raises(AttnsError, match=r"timings of another machine \(cpu 'abacus'"):
        run(grown, there)
    assert run(text, there).executed == 0, "nothing to time, nothing to refuse"
    assert run(grown, there, timing=False).executed == 1
    assert run(grown, there, unlike_machines=True).timed == 2
