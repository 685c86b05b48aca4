"""Reports in every format: complete, escaped, and sensible for runs in which nothing went well."""

import json
import re
from html.parser import HTMLParser

import pytest
import synthetic_runs as synthetic
from attns_harness.analysis import Study, prepare
from attns_harness.reports.content import document
from attns_harness.reports.facts import RunFacts, read_facts
from attns_harness.reports.html import formula_mathml, write_html
from attns_harness.reports.latex import escape, write_latex
from attns_harness.reports.markdown import write_markdown
from attns_harness.reports.tables import schema, write_csv, write_parquet
from attns_harness.reports.write import write_report

from attns_core import UnknownNameError, build_registry

REGISTRY = build_registry()
HOSTILE = "../../<script>alert(1)</script>|\\input{/etc/passwd}$x$`*_%&#\u202e\"'"


def content(table, title="study", matrix=""):
    return document(Study(prepare(table), title, REGISTRY), RunFacts(name="run", matrix=matrix))


@pytest.fixture(scope="module")
def complete():
    table = synthetic.table(spread=0.1, equations=("henon-heiles",))
    table.loc[7, ["state", "reason", "error_l2_scaled"]] = ["crashed", "killed by signal 11", None]
    return table


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[k] for k in ("href", "src", "xlink:href") if given.get(k)]

    def handle_data(self, data):
        self.text.append(data)


def test_html_is_one_offline_file_with_everything_in_it(complete, tmp_path):
    (path,) = write_html(content(complete, matrix='name = "demo"'), tmp_path)
    text = path.read_text()
    page = Page(text)
    assert len(text) < 1_000_000
    assert all(link.startswith("#") for link in page.links), page.links
    assert not re.search(r"url\(\s*['\"]?(?!#)", text)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert page.tags.count("svg") >= 4
    assert page.tags.count("script") == 1
    assert "math" in page.tags
    spoken = " ".join(page.text)
    for expected in ("killed by signal 11", "Is a strong classical baseline present?", 'name = "demo"', "attns run",
                     "paid for themselves", "henon-heiles", "BibTeX"):  # fmt: skip
        assert expected in spoken, expected


def test_every_figure_has_a_text_alternative_and_toggles_name_their_series(complete, tmp_path):
    text = write_html(content(complete), tmp_path)[0].read_text()
    figures = re.findall(r"<svg[^>]*>", text)
    assert all('role="img"' in f and "aria-labelledby" in f for f in figures)
    assert {"rk4", "dop853", "rk4+attns"} <= set(re.findall(r'data-series="([^"]+)"', text))
    assert re.search(r"rk4: error [\d.e-]+, cost [\d.e-]+, step or tolerance 0\.2", text)


def hostile():
    table = synthetic.table(equations=(HOSTILE,), solvers=(synthetic.RK4, synthetic.ATTNS), seeds=(0,))
    table["solver"] = HOSTILE + table["solver"]
    table["reason"] = HOSTILE
    table.loc[0, "state"] = "error"
    return table


def test_hostile_text_changes_only_itself_in_html(tmp_path):
    (path,) = write_html(content(hostile(), HOSTILE, HOSTILE), tmp_path)
    page = Page(path.read_text())
    assert page.tags.count("script") == 1
    assert "alert(1)" in "".join(page.text)
    assert path.parent == tmp_path


def test_hostile_text_changes_only_itself_in_latex(tmp_path):
    for path in write_latex(content(hostile(), HOSTILE), tmp_path):
        assert path.resolve().is_relative_to(tmp_path.resolve())
        if path.suffix == ".tex":
            source = path.read_text()
            assert "\\input{/etc" not in source
            assert "$x$" not in source
            assert source.isascii()
    assert escape("a_b & 50 % $x$ \\end{document} é ü 日") == (
        r"a\_b \& 50 \% \$x\$ \textbackslash{}end\{document\} e u ?"
    )


def test_hostile_text_changes_only_itself_in_markdown(tmp_path):
    paths = write_markdown(content(hostile(), HOSTILE), tmp_path)
    text = paths[-1].read_text()
    assert "<script>" not in text
    assert re.search(r"(?<!\\)\|\\\\input", text) is None
    assert all(path.parent == tmp_path for path in paths)


def test_latex_is_balanced_and_includes_only_files_it_wrote(complete, tmp_path):
    paths = write_latex(content(complete), tmp_path)
    report = next(p for p in paths if p.name == "report.tex").read_text()
    names = {p.name for p in paths}
    assert {m + ".tex" for m in re.findall(r"\\input\{([^}]+)\.tex\}", report)} <= names
    assert {m + ".pdf" for m in re.findall(r"\\includegraphics\[[^]]*\]\{\{([^}]+)\}", report)} <= names
    for path in paths:
        if path.suffix == ".tex":
            source = re.sub(r"\\[{}\\]", "", path.read_text())
            assert source.count("{") == source.count("}"), path.name
            for environment in set(re.findall(r"\\begin\{([a-z*]+)\}", source)):
                assert source.count(rf"\begin{{{environment}}}") == source.count(rf"\end{{{environment}}}")
    accuracy = (tmp_path / "latex" / "henon-heiles-accuracy.tex").read_text()
    assert accuracy.count(r"\textbf{") == 1
    assert "@misc{" in (tmp_path / "latex" / "references.bib").read_text()


def test_tables_carry_a_schema_that_defines_every_column(complete, tmp_path):
    for write in (write_csv, write_parquet):
        paths = write(complete, tmp_path, REGISTRY)
        described = json.loads(paths[-1].read_text())
        assert [c["name"] for c in described["columns"]] == list(complete.columns)
    undefined = [c["name"] for c in schema(complete, REGISTRY) if c["definition"] == "recorded by a plugin"]
    assert undefined == []


@pytest.mark.parametrize(
    "table",
    [
        synthetic.table().iloc[:0],
        synthetic.table().iloc[:1],
        synthetic.table(equations=("kepler",)).assign(state="crashed", error_l2_scaled=None, time_min_s=None),
    ],
    ids=["empty", "one cell", "all failed"],
)
def test_reports_of_runs_in_which_nothing_went_well(table, tmp_path):
    found = content(table)
    for write in (write_html, write_markdown, write_latex):
        assert write(found, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "no cells" in text or "nothing to compare" in text or "1 cells" in text


def test_training_curves_come_from_the_stored_metadata(complete, tmp_path):
    weights = tmp_path / "artefacts" / "ab" / "abcd"
    weights.mkdir(parents=True)
    curve = [[0.1, 1.0, 0.5], [0.2, 0.5, 0.25]]
    data = {"equation": "henon-heiles", "method": "rk4", "corrector": {"name": "attns"}, "curve": curve, "gated": False}
    (weights / "metadata.json").write_text(json.dumps(data))
    (weights / "other.json").write_text("[1, 2]")
    facts = read_facts(tmp_path)
    assert [(t.series, t.losses) for t in facts.trainings] == [("rk4+attns", (0.5, 0.25))]
    assert facts.trajectories.empty
    text = write_html(document(Study(prepare(complete), "t", REGISTRY), facts), tmp_path)[0].read_text()
    assert "Training curves of 1 correctors on henon-heiles; the smallest held-out error, 0.25" in text


def test_reports_are_equal_byte_for_byte(complete, tmp_path):
    first = write_html(content(complete), tmp_path)[0].read_bytes()
    assert write_html(content(complete), tmp_path)[0].read_bytes() == first


def test_formulas_are_mathml_and_markup_in_them_is_only_text():
    good = formula_mathml((r"\dot{x} &= -\sin x", r"\dot{y} &= \frac{x}{y}"))
    assert good.startswith("<math")
    assert good.count("<mtr") == 2
    assert ">&amp;<" not in good
    for bad in ("<script>alert(1)</script>", r"\text{<img src=x onerror=alert(1)>}", "x & y & <b>z</b>"):
        found = formula_mathml((bad,))
        assert {t for t in Page(found).tags if not t.startswith("m")} <= {"pre"}
        assert "onerror=alert" not in re.sub(r"<pre>.*?</pre>|<mtext>.*?</mtext>", "", found)


def test_unknown_formats_name_the_known_ones(tmp_path):
    with pytest.raises(UnknownNameError, match=r"html|did you mean"):
        write_report(tmp_path, tmp_path, ("htlm",), registry=REGISTRY)
