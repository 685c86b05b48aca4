"""``attns analyse``: every analysis of runs from the command line, merged, filtered and saved."""

import csv
import io
import json

import pytest
import synthetic_runs as synthetic
from attns_harness.cli import cli
from attns_harness.cli.analyse import ANALYSES
from attns_harness.reports.write import write_report
from click.testing import CliRunner

from attns_core import AttnsError, build_registry

MATRIX = """
name = "run"
[analysis]
error = "error_final_scaled"
cost = "nfe"
levels = [1e-6]
[[block]]
equations = ["henon-heiles"]
methods = ["rk4"]
"""


@pytest.fixture
def run(tmp_path):
    def make(name, **options):
        tables = tmp_path / name / "tables"
        tables.mkdir(parents=True)
        synthetic.table(dts=(0.2, 0.1, 0.05, 0.025), **options).to_parquet(tables / "results.parquet")
        return tmp_path / name

    return make


def analyse(*arguments):
    done = CliRunner().invoke(cli, ["analyse", *map(str, arguments)], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.mark.parametrize(
    "what", [w for w in ANALYSES if w not in ("learning", "explosions-over-noise", "regimes", "inputs")]
)
def test_every_analysis_prints_rows(run, what):
    rows = json.loads(analyse(what, run("a"), "--json"))
    assert rows
    assert not any(isinstance(v, float) and v != v for row in rows for v in row.values())
    assert len(list(csv.DictReader(io.StringIO(analyse(what, run("b"), "--csv"))))) == len(rows)


def test_what_a_run_has_nothing_of_is_said(run):
    assert "nothing that it applies to" in analyse("learning", run("a"))


def test_terms_come_from_options_then_from_the_matrix(run):
    folder = run("a")
    (folder / "matrix.toml").write_text(MATRIX)
    rows = json.loads(analyse("equal-error", folder, "--json"))
    assert {row["error"] for row in rows} == {1e-6}
    fine = {row["series"]: row for row in rows if row["problem"] == "henon-heiles"}
    # The final error is 1.5 times the constant; 12 evaluations a step of order 8 against 4 of order 4.
    truth = 12 * (15 / 1e-6) ** (1 / 8) / (4 * (1.5e-3 / 1e-6) ** (1 / 4))
    assert fine["rk4+attns"]["baseline"] == "dop853"
    assert fine["rk4+attns"]["ratio"] == pytest.approx(truth, rel=1e-6)
    timed = json.loads(analyse("equal-error", folder, "--cost", "time", "--level", "1e-5", "--json"))
    assert {row["error"] for row in timed} == {1e-5}
    (folder / "matrix.toml").write_text("name = 3")
    assert len(json.loads(analyse("equal-error", folder, "--json"))) > len(rows)


def test_runs_are_merged_filtered_saved_and_loaded(run, tmp_path):
    a, b = run("a", equations=("henon-heiles",)), run("b", equations=("kepler",))
    saved = tmp_path / "both.parquet"
    rows = json.loads(analyse("points", a, b, "--tag", "learned", "--save", saved, "--json"))
    assert {row["problem"] for row in rows} == {"henon-heiles", "kepler"}
    assert {row["series"] for row in rows} == {"rk4+attns", "rk4+linear"}
    again = json.loads(analyse("points", saved, "--json"))
    assert again == rows
    few = json.loads(analyse("points", a, b, "--problem", "kepler", "--without", "learned", "--json"))
    assert {row["series"] for row in few} == {"euler", "rk4", "dop853"}
    assert {row["series"] for row in json.loads(analyse("points", a, "--tag", "order-8", "--json"))} == {"dop853"}
    with pytest.raises(AttnsError, match="nothing is left"):
        analyse("points", a, "--tag", "no-such-tag")


def test_a_report_shows_stability_and_follows_the_matrix(run, tmp_path):
    folder = run("a")
    (folder / "matrix.toml").write_text(MATRIX)
    (page,) = write_report(folder, tmp_path / "out", ["html"], registry=build_registry(), title="t")[-1:]
    report = page.read_text()
    assert "comparisons that follow are by right-hand-side evaluations, as was asked for" in report
    assert "error at the end, component-scaled against right-hand-side evaluations" in report
    assert "Boundaries of the regions of absolute stability of dop853, euler, rk4" in report
    assert "Largest step of the run without a diverged trajectory" in report
    (folder / "matrix.toml").write_text(MATRIX.replace("[analysis]", "[analysis]\nstability = false"))
    (page,) = write_report(folder, tmp_path / "other", ["html"], registry=build_registry())[-1:]
    assert "its stability function" in report
    assert "its stability function" not in page.read_text()
