"""Timing cells of a run again, two processes taking turns."""

import pytest
from attns_harness.analysis.sides import read_side
from attns_harness.cli import cli
from attns_harness.retime import Alternation, Contestant
from click.testing import CliRunner

from attns_core import AttnsError

MATRIX = """
name = "tiny"
[timing]
budget_s = 0.01
max_samples = 5
[[block]]
equations = [{ name = "henon-heiles", t_end = 1.0, n_trajectories = 2 }]
methods = ["rk4"]
backends = ["numpy"]
dt_factors = [1]
"""


def test_both_sides_are_timed_in_turn_and_unknown_cells_say_so(tmp_path):
    (tmp_path / "tiny.toml").write_text(MATRIX)
    run = tmp_path / "run"
    arguments = ["run", str(tmp_path / "tiny.toml"), "--out", str(run), "--no-report", "--quiet"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.exception is None, done.output
    side, cells = read_side(run)
    (key,) = side.times
    one = Contestant(run_dir=run, cells=cells)
    with Alternation(one, one, processes=1, rounds=2) as again:
        found = again(key)
        assert [len(trial.samples) for trial in found] == [10, 10]
        # The processes stay: a second question costs no start.
        assert [len(trial.samples) for trial in again(key)] == [10, 10]
    assert side.measured[key[:-1]].state == "ok"
    unknown = Contestant(run_dir=run, cells={key: "0" * 16})
    with Alternation(unknown, processes=1) as again, pytest.raises(AttnsError, match="other code"):
        again(key)
    nobody = Contestant(run_dir=tmp_path, cells=cells)
    with Alternation(nobody, processes=1) as again, pytest.raises(AttnsError, match="not a run folder"):
        again(key)
