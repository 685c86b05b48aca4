"""The static site: complete, linked, escaped; and its link checker finds what is broken."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import synthetic_runs as synthetic
from attns_harness.cli import cli
from attns_harness.reports.links import broken_links
from attns_harness.reports.site import publish
from click.testing import CliRunner

from attns_core import AttnsError, build_registry

REGISTRY = build_registry()


def run_folder(path, **options):
    (path / "tables").mkdir(parents=True)
    synthetic.table(**options).to_parquet(path / "tables" / "results.parquet")
    (path / "matrix.toml").write_text('name = "synthetic"\n')
    return path


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    small = {"dts": (0.1, 0.05, 0.025), "seeds": (0, 1)}
    one = run_folder(folder / "one", equations=("henon-heiles",), **small)
    evil = run_folder(folder / "two", equations=("../<b>&evil",), solvers=(synthetic.RK4,), **small)
    publish([one, evil], folder / "public", registry=REGISTRY)
    return folder


def test_every_link_leads_somewhere_and_a_broken_one_is_found(site):
    public = site / "public"
    assert broken_links(public) == []
    page = public / "leaderboard.html"
    text = page.read_text()
    assert "runs/one/rows.html#c-" in text
    page.write_text(text.replace("rows.html#c-", "rows.html#no-", 1) + '<a href="gone.html">x</a>')
    try:
        assert sorted(line.split(": ")[1][:9] for line in broken_links(public)) == ["gone.html", "runs/one/"]
    finally:
        page.write_text(text)


def test_the_site_has_a_page_for_every_run_equation_and_solver(site):
    public = site / "public"
    assert {p.stem for p in (public / "solvers").iterdir()} == {"euler", "rk4", "dop853", "rk4-attns", "rk4-linear"}
    assert {p.name for p in (public / "runs").iterdir()} == {"one", "two"}
    assert "orbits are regular" in (public / "equations" / "henon-heiles.html").read_text()
    assert "Plugin methods" in (public / "solvers" / "rk4.html").read_text()
    assert "attns run one/matrix.toml" in (public / "runs" / "one" / "rows.html").read_text()
    assert len(json.loads((public / "feed.json").read_text())["items"]) == 2


def test_hostile_names_stay_text_and_inside_the_site(site):
    files = {p.resolve() for p in site.rglob("*") if p.is_file()}
    assert all(p.is_relative_to((site / "public").resolve()) for p in files if p.suffix == ".html")
    text = (site / "public" / "index.html").read_text()
    assert "<b>" not in text
    assert "&lt;b&gt;" in text


def test_two_runs_of_one_name_are_refused(site, tmp_path):
    other = run_folder(tmp_path / "one", equations=("kepler",))
    with pytest.raises(AttnsError, match="two runs are called 'one'"):
        publish([site / "one", other], tmp_path / "public", registry=REGISTRY)


def test_the_command_checks_and_reports(site):
    done = CliRunner().invoke(cli, ["publish", "--site", str(site / "public"), "--check"], standalone_mode=False)
    assert done.return_value == 0, done.output
    assert "0 broken links" in done.output
    refused = CliRunner().invoke(cli, ["publish", "--site", str(site / "public")], standalone_mode=False)
    assert isinstance(refused.exception, AttnsError)


def test_the_report_command_writes_every_format(site, tmp_path):
    formats = "html,md,csv,parquet,figures"
    arguments = ["report", str(site / "two"), "--format", formats, "--out", str(tmp_path), "--json"]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.exception is None, done.output
    names = {path.rsplit("/", 1)[1] for path in json.loads(done.output)}
    assert {"report.html", "report.md", "results.csv", "results.parquet", "schema.json"} <= names
    assert {name.rpartition(".")[2] for name in names if name.startswith("work-precision-")} == {"svg", "pdf", "png"}


def test_publishing_again_changes_nothing_and_a_changed_run_is_news(tmp_path):
    run = run_folder(tmp_path / "one", equations=("henon-heiles",), dts=(0.1, 0.05, 0.025), seeds=(0, 1))
    public = tmp_path / "public"
    publish([run], public, registry=REGISTRY)

    def contents():
        return {p.relative_to(public): p.read_bytes() for p in sorted(public.rglob("*")) if p.is_file()}

    first = contents()
    assert b"@misc{henon1964" in first[Path("references.bib")]
    publish([run], public, registry=REGISTRY)
    assert contents() == first
    (public / "mine.txt").write_text("kept")
    table = synthetic.table((synthetic.RK4, synthetic.DOP853), ("kepler",), (0.1, 0.05, 0.025), (0,))
    table.to_parquet(run / "tables" / "results.parquet")
    publish([run], public, registry=REGISTRY)
    items = json.loads((public / "feed.json").read_text())["items"]
    assert len(items) == 2
    assert items[0]["content_text"].startswith(f"Changed since {items[1]['date_published']}. 6 cells")
    assert not (public / "equations" / "henon-heiles.html").exists()
    assert (public / "equations" / "kepler.html").exists()
    assert (public / "mine.txt").read_text() == "kept"


def test_reports_and_site_do_not_depend_on_the_process(tmp_path):
    run_folder(tmp_path / "one", equations=("henon-heiles",), dts=(0.1, 0.05), seeds=(0, 1))
    found = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        command = [str(Path(sys.executable).with_name("attns"))]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        for arguments in (["report", "one", "--format", "md,latex,figures", "--out", str(out)],
                          ["publish", "one", "--site", str(out / "site"), "--check"]):  # fmt: skip
            subprocess.run([*command, *arguments], cwd=tmp_path, env=environment, check=True, capture_output=True)
        files = {p.relative_to(out): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
        # The feed says when a run was first published.
        feed = json.loads(files.pop(Path("site/feed.json")))
        found.append((files, [item["id"] for item in feed["items"]]))
    assert found[0] == found[1]
    assert len(found[0][0]) > 20
