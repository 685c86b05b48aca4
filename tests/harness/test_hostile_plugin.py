"""A plugin whose texts hold HTML, LaTeX, Markdown and path tricks changes nothing but its own text."""

import json
from pathlib import Path

import pytest
import synthetic_runs as synthetic
from attns_harness.reports.site import publish
from attns_harness.reports.write import write_report

from attns_core import build_registry

EVIL = "<script>alert(1)</script> \\input{/etc/passwd} }\\end{document} $x$ `*_[a](b)_*` | % & # ~ ^ ../../up \u202e"
PLUGIN = """
from dataclasses import replace
from attns_core import Citation, black_box, build_registry, hookimpl
from attns_core.metric import Metric

EVIL = {evil!r}
CITATION = Citation(key="../" + EVIL, authors=EVIL, title=EVIL, where=EVIL, year=2026, doi=EVIL, url=EVIL)
BASE = build_registry().equation("lotka-volterra")
HOSTILE = replace(
    BASE, name="hostile", title=EVIL, description=EVIL, citation=CITATION, tags=frozenset({{EVIL, "../../regime"}}),
    components=("a" + EVIL, "b"), latex=("\\\\dot{{x}} &= <script>alert(1)</script>", "\\\\input{{/etc/passwd}} &= 1"),
)


@black_box(name="evil-solver", title=EVIL, citation=CITATION)
def evil_solver(problem, control):
    return [problem.u0 for _ in problem.t_save]


@hookimpl
def attns_equations():
    return [HOSTILE]


@hookimpl
def attns_solvers():
    return [evil_solver]


@hookimpl
def attns_metrics():
    return [Metric(name="evil", title=EVIL, columns={{"evil_number": EVIL}}, citation=CITATION,
                   compute=lambda outcome: {{"evil_number": 1.0}})]
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that is written of a run of the hostile plugin, in ``out`` and ``site`` of a folder."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "plugin.py").write_text(PLUGIN.format(evil=EVIL), encoding="utf-8")
    registry = build_registry(plugin_files=[folder / "plugin.py"])
    assert "hostile" in registry.names("equation")
    small = {"dts": (0.1, 0.05, 0.025), "seeds": (0, 1)}
    run = synthetic.run_folder(folder / "run", equations=("hostile",), **small)
    table = synthetic.table(equations=("hostile",), **small)
    table["evil_number"] = 1.0
    mine = table["solver"] == "euler"
    table.loc[mine, ["solver", "method", "state", "reason"]] = ["evil-solver", None, "error", EVIL]
    table.to_parquet(run / "tables" / "results.parquet")
    write_report(
        run, folder / "out", ("html", "md", "latex", "csv", "parquet", "figures"), registry=registry, title=EVIL
    )
    publish([run], folder / "site", registry=registry)
    return folder


def test_every_file_stays_in_its_folder(outside: Path) -> None:
    assert {p.name for p in outside.iterdir()} - {"__pycache__"} == {"out", "plugin.py", "run", "site"}
    for path in (*outside.glob("out/**/*"), *outside.glob("site/**/*")):
        assert ".." not in path.name
        assert "script" not in path.name.replace("script-alert", "")


def test_no_page_has_markup_of_the_plugin(outside: Path) -> None:
    pages = [*outside.glob("out/*.html"), *outside.glob("site/**/*.html")]
    assert len(pages) >= 8
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.count("<script") == 1, page
        assert "\u202e" not in text
    assert "&lt;script&gt;alert(1)" in (outside / "site" / "equations" / "hostile.html").read_text(encoding="utf-8")


def test_latex_and_bibtex_hold_no_command_of_the_plugin(outside: Path) -> None:
    folder = outside / "out" / "latex"
    for path in folder.glob("*.tex"):
        text = path.read_text(encoding="utf-8")
        assert "\\input{/etc" not in text, path
        assert text.count("\\end{document}") == (path.name == "report.tex")
    bib = (folder / "references.bib").read_text(encoding="utf-8")
    assert "\\input" not in bib.replace("\\textbackslash input", "")
    assert bib.count("{") == bib.count("}")
    # One entry whose key and fields are plain text.
    assert "@misc{..scriptalert1script" in bib.replace("-", "")
    assert "\\textbackslash input\\textbraceleft /etc/passwd\\textbraceright" in bib


def test_markdown_holds_no_markup_of_the_plugin(outside: Path) -> None:
    text = (outside / "out" / "report.md").read_text(encoding="utf-8")
    assert "<script" not in text.replace("\\<script", "")
    assert "[a](b)" not in text
    assert all(line.count("|") - line.count("\\|") in (0, *range(3, 40)) for line in text.splitlines())


def test_schema_and_feed_are_json_with_the_text_as_it_is(outside: Path) -> None:
    columns = json.loads((outside / "out" / "schema.json").read_text(encoding="utf-8"))["columns"]
    assert next(c["definition"] for c in columns if c["name"] == "evil_number") == EVIL
    feed = json.loads((outside / "site" / "feed.json").read_text(encoding="utf-8"))
    assert [item["url"] for item in feed["items"]] == ["runs/run/report.html"]
