"""Blocks run alone, and runs joined problem by problem."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_runs as synthetic
from attns_harness.analysis import prepare
from attns_harness.analysis.fairness import fairness
from attns_harness.blocks import blocks_named
from attns_harness.cli import cli
from attns_harness.join import join_runs
from attns_harness.matrix_file import parse_matrix
from attns_harness.progress import View
from attns_harness.reports.write import write_report
from attns_harness.runner import RunOptions, Summary, run_matrix
from attns_harness.tables import read_environments, read_results
from attns_harness.training_curves import keep_training_curves, read_training_curves
from attns_harness.trajectories import keep_trajectories, read_trajectories
from click.testing import CliRunner
from rich.console import Console

from attns_core import build_registry
from attns_core.errors import AttnsError, UnknownNameError

MATRIX = """
name = "halves"
[timing]
enabled = false
[[block]]
name = "pendulum, all"
equations = [{ name = "elastic-pendulum", t_end = 2, save_every = 0.5, n_trajectories = 4 }]
methods = ["euler"]
correctors = ["none", "linear"]
train_trajectories = [3]
dts = [0.1, 0.05]
[[block]]
name = "predators"
equations = [{ name = "lotka-volterra", t_end = 1, save_every = 0.5, n_trajectories = 4 }]
methods = ["euler"]
dts = [0.1]
"""
LATER = MATRIX.replace("dts = [0.1]\n", "dts = [0.1, 0.05]\n")
REGISTRY = build_registry()


def run(text: str, folder: Path, *blocks: str) -> Summary:
    file = parse_matrix(text, folder / "matrix.toml")
    options = RunOptions(workers=1, blocks=blocks)
    summary = run_matrix(file, folder, REGISTRY, options, View(Console(quiet=True), quiet=True))
    assert keep_trajectories(folder, file, REGISTRY) == []
    keep_training_curves(folder)
    return summary


def published(folder: Path, out: Path) -> Path:
    """What is left of a run where it is published: tables and matrix."""
    shutil.copytree(folder / "tables", out / "tables")
    shutil.copy(folder / "matrix.toml", out)
    return out


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    run(MATRIX, folder)
    return folder


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("part") / "run"
    assert run(LATER, folder, "pred*").executed == 2
    return folder


def test_a_block_runs_alone_and_the_others_wait(part: Path, tmp_path: Path) -> None:
    rows = read_results(part)
    assert set(rows.loc[rows["equation"] == "lotka-volterra", "state"]) == {"ok"}
    assert set(rows.loc[rows["equation"] == "elastic-pendulum", "state"]) == {"not_run"}
    again = tmp_path / "run"
    shutil.copytree(part, again)
    assert run(LATER, again).executed == 4
    assert set(read_results(again)["state"]) == {"ok", "diverged"}


def test_a_block_that_is_not_there_is_named_with_the_nearest() -> None:
    matrix = parse_matrix(MATRIX).matrix
    assert [b.name for b in blocks_named(matrix, ["pendulum, all"])] == ["pendulum, all"]
    assert [b.name for b in blocks_named(matrix, ["pred*", "*all"])] == ["pendulum, all", "predators"]
    with pytest.raises(UnknownNameError, match="did you mean 'predators'"):
        blocks_named(matrix, ["predator"])
    nameless = parse_matrix("\n".join(line for line in MATRIX.splitlines() if "name = \"pe" not in line
                                      and "name = \"pr" not in line)).matrix  # fmt: skip
    with pytest.raises(AttnsError, match="no block of matrix 'halves' has a name"):
        blocks_named(nameless, ["x"])


def test_each_problem_comes_whole_from_the_last_run_that_has_it(whole: Path, part: Path, tmp_path: Path) -> None:
    out = tmp_path / "joined"
    origins = join_runs([published(whole, tmp_path / "old"), part], out)
    assert [(o.problem, o.run.parent == part.parent, o.cells, o.open) for o in origins] == [
        ("elastic-pendulum, T=2", False, 4, 0),
        ("lotka-volterra, T=1", True, 2, 0),
    ]
    old: Any = read_results(whole)
    new: Any = read_results(part)
    joined: Any = read_results(out)
    predators = joined["equation"] == "lotka-volterra"
    solved = new[new["state"] == "ok"]
    pd.testing.assert_frame_equal(joined.loc[predators, new.columns], solved, check_dtype=False)
    pendulum = joined.loc[~predators, old.columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(pendulum, old[old["equation"] == "elastic-pendulum"].reset_index(drop=True))
    assert (out / "matrix.toml").read_text() == LATER
    assert set(read_environments(out)) == set(joined["environment"])
    assert set(read_training_curves(out)["weights_id"]) == set(read_training_curves(whole)["weights_id"])
    assert set(read_trajectories(out)["problem"]) == {"elastic-pendulum", "lotka-volterra"}
    assert read_trajectories(out)["cell_id"].isin(joined["cell_id"]).all()
    # It is a run for every report.
    assert write_report(out, tmp_path / "report", ("md",), registry=REGISTRY)


def test_what_the_older_run_lacks_is_shown_without_a_result(whole: Path, part: Path, tmp_path: Path) -> None:
    wanting = tmp_path / "wanting"
    run(LATER, wanting, "pendulum*")
    origins = join_runs([whole, wanting], tmp_path / "joined")
    assert [(o.run, o.cells, o.open) for o in origins] == [(wanting, 4, 0), (whole, 2, 1)]
    states = read_results(tmp_path / "joined").set_index("equation").loc["lotka-volterra", "state"]
    assert sorted(states) == ["not_run", "ok"]
    # Curves of what was trained twice are the last run's alone.
    assert len(read_training_curves(tmp_path / "joined")) == len(read_training_curves(wanting))


def test_a_published_run_is_brought_up_to_date_in_place(whole: Path, part: Path, tmp_path: Path) -> None:
    folder = published(whole, tmp_path / "results")
    done = CliRunner().invoke(cli, ["join", str(folder), str(part), "--out", str(folder)])
    assert done.exit_code == 0, done.output
    assert "6 cells in" in done.output
    assert len(read_results(folder)) == 6


def test_what_cannot_be_joined_is_said(whole: Path, part: Path, tmp_path: Path) -> None:
    with pytest.raises(AttnsError, match="at least two"):
        join_runs([whole], tmp_path)
    with pytest.raises(AttnsError, match="has a journal"):
        join_runs([whole, part], whole)
    bare = published(part, tmp_path / "bare")
    (bare / "matrix.toml").unlink()
    with pytest.raises(AttnsError, match=r"has no matrix\.toml"):
        join_runs([whole, bare], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_times_of_a_problem_on_two_machines_are_found() -> None:
    def verdict(table: pd.DataFrame) -> tuple[bool | None, tuple[str, ...]]:
        checks = [c for c in fairness(prepare(table)) if "one machine" in c.name]
        return checks[0].passed, checks[0].rows

    table = synthetic.table()
    assert verdict(table)[0] is None
    chain = table["equation"] == "spring-chain"
    assert verdict(table.assign(cpu=np.where(chain, "a", "b")))[0] is True
    mixed = table.assign(cpu=np.where(chain & (table["solver"] == "rk4"), "a", "b"))
    assert verdict(mixed) == (False, ("spring-chain: a, b",))
