"""``attns compare`` on two synthetic runs."""

import json

import numpy as np
import pytest
import synthetic_runs as synthetic
from attns_harness.analysis import Trial, prepare, sides
from attns_harness.cli import cli
from click.testing import CliRunner


def side(monkeypatch, runs):
    """Serve prepared tables and timings instead of run folders."""

    def read(run_dir, **options):
        table, slow = runs[str(run_dir)]
        rng = np.random.default_rng(len(str(run_dir)))
        timed = {
            r.cell_id: Trial(tuple(slow * r.time_min_s * (1 + rng.gamma(1.5, 0.01, 20)))) for r in table.itertuples()
        }
        return sides.side_of(table, timed), {}

    monkeypatch.setattr(sides, "read_side", read)


def compare(*arguments):
    return CliRunner().invoke(cli, ["compare", *arguments], standalone_mode=False)


@pytest.fixture
def runs(monkeypatch):
    table = synthetic.table((synthetic.RK4, synthetic.ATTNS), ("henon-heiles",), (0.1, 0.05))
    worse = table.copy()
    worse.loc[worse["solver"] == "rk4+attns", "error_l2_scaled"] *= 3
    fewer = table[table["dt"] == 0.1]
    served = {"old": (table, 1.0), "same": (table, 1.0), "slow": (table, 1.2), "worse": (worse, 1.0), "few": (fewer, 1)}
    side(monkeypatch, {name: (prepare(t), slow) for name, (t, slow) in served.items()})


@pytest.mark.usefixtures("runs")
def test_the_exit_code_says_whether_there_is_a_regression(tmp_path):
    assert compare("old", "same", "--fail-on", "regression").return_value == 0
    slow = compare("old", "slow", "--fail-on", "regression", "--json")
    assert slow.return_value == 1
    found = json.loads(slow.output)
    assert found["counts"]["regression"] == 12
    assert {j["aspect"] for j in found["judgements"] if j["verdict"] == "regression"} == {"time"}
    assert compare("old", "slow").return_value == 0
    worse = compare("old", "worse", "--fail-on", "regression", "--markdown", str(tmp_path / "c.md"))
    assert worse.return_value == 1
    text = (tmp_path / "c.md").read_text()
    assert "🔴 ↑ | accuracy | henon-heiles rk4+attns" in text
    assert "3 [3, 3]" in text.replace("\\", "")


@pytest.mark.usefixtures("runs")
def test_what_only_one_run_has_is_missing_and_never_dropped():
    done = compare("old", "few", "--fail-on", "missing", "--json")
    assert done.return_value == 1
    assert json.loads(done.output)["counts"]["missing"] == 6 + 2
    assert compare("old", "few", "--fail-on", "regression").return_value == 0
