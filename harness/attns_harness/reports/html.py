"""HTML: one file that opens from disk, asks the network for nothing, and works without a mouse."""

import re
import xml.etree.ElementTree as ET
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from attns_harness.analysis.frames import Frame, pd
from attns_harness.reports.document import Document, Figure, Table
from attns_harness.reports.figures import render
from attns_harness.reports.text import number

MOST_ROWS = 100
"""A page shows this many rows of a table."""
_SVG = "http://www.w3.org/2000/svg"
_MATHML = "http://www.w3.org/1998/Math/MathML"
_MATHML_TAGS = """
math mrow mi mo mn ms mtext msub msup msubsup mfrac msqrt mroot mover munder munderover mtable mtr
mtd mspace mstyle mpadded mfenced mphantom
"""
_MATHML_ATTRIBUTES = """
display displaystyle rowspacing columnspacing columnalign linebreak width height stretchy fence form
separator lspace rspace mathvariant open close minsize maxsize linethickness scriptlevel accent
"""
_XLINK = "http://www.w3.org/1999/xlink"


def write_html(document: Document, out: Path) -> list[Path]:
    """``report.html``."""
    path = out / "report.html"
    path.write_text(render_html(document), encoding="utf-8")
    return [path]


def render_html(document: Document) -> str:
    """The whole page. Every text is escaped by the template engine; only figures and formulas are markup."""
    from markupsafe import Markup

    def figure_markup(figure: Figure) -> Any:
        return Markup(figure_svg(figure))

    def formula_markup(rows: tuple[str, ...]) -> Any:
        return Markup(formula_mathml(rows))

    page = environment().get_template("report.html.j2")
    return page.render(
        document=document,
        style=Markup(asset("report.css")),
        script=Markup(asset("report.js")),
        figure_svg=figure_markup,
        formula_mathml=formula_markup,
        table_rows=table_rows,
        most_rows=MOST_ROWS,
    )


def table_rows(table: Table) -> list[list[tuple[str, str, bool]]]:
    """Cells as (text, value to sort by, whether it is the best of its column)."""
    best = {c: _best(table.frame[c], how) for c, how in table.best.items() if c in table.frame}
    rows = []
    for row in table.cut(MOST_ROWS)[0].itertuples(index=False):
        cells = zip(table.frame.columns, row, strict=True)
        rows.append([(number(v), sortable(v), name in best and v == best[name]) for name, v in cells])
    return rows


def figure_svg(figure: Figure) -> str:
    """The figure as an inline SVG: text alternative, names of series for toggling, values for hovering."""
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    drawn = figure.draw()
    root = ET.fromstring(render(drawn, "svg"))
    for child in list(root):
        if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}title"):
            root.remove(child)
    title = ET.Element(f"{{{_SVG}}}title", {"id": f"title-{figure.name}"})
    title.text = figure.alt
    root.insert(0, title)
    root.set("role", "img")
    root.set("aria-labelledby", f"title-{figure.name}")
    # The size comes from the page; the view box keeps the proportions.
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    _name_series(root, getattr(drawn, "hover", {}))
    _unique_ids(root, figure.name)
    return ET.tostring(root, encoding="unicode")


def formula_mathml(rows: tuple[str, ...]) -> str:
    """The rows as MathML, which browsers set themselves; as LaTeX source where that fails.

    The converter passes markup in formulas through, so its result is parsed and only MathML's own
    elements and layout attributes are let in.
    """
    from html import escape

    from latex2mathml.converter import convert

    try:
        root = ET.fromstring(convert(r"\begin{align*}" + r" \\ ".join(rows) + r"\end{align*}", display="block"))
        for element in root.iter():
            tag = element.tag.removeprefix(f"{{{_MATHML}}}")
            if tag not in _MATHML_TAGS.split():
                raise ValueError(f"{tag} is no MathML element")
            element.attrib = {k: v for k, v in element.attrib.items() if k in _MATHML_ATTRIBUTES.split()}
        ET.register_namespace("", _MATHML)
        return ET.tostring(root, encoding="unicode")
    except Exception:
        return f"<pre>{escape(chr(10).join(rows))}</pre>"


def environment() -> Any:
    """The template engine: everything is escaped unless it is marked as safe."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("attns_harness.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def asset(name: str) -> str:
    """A style sheet or script, to be put into a page."""
    return files("attns_harness.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _name_series(root: Any, texts: dict[str, list[str]]) -> None:
    """Turn the groups that figures named ``curve:NAME`` into ``data-series``, with titles for hovering."""
    for element in root.iter():
        gid = element.get("id", "")
        kind, _, name = gid.partition(":")
        if kind in ("curve", "failed", "spread") and name:
            element.attrib.pop("id")
            element.set("data-series", name)
            hover = ET.Element(f"{{{_SVG}}}title")
            hover.text = f"{name}: no result" if kind == "failed" else name
            element.insert(0, hover)
            markers = list(element.iter(f"{{{_SVG}}}use"))
            shown = texts.get(gid, [])
            if len(markers) == len(shown):
                for marker, text in zip(markers, shown, strict=True):
                    ET.SubElement(marker, f"{{{_SVG}}}title").text = text


def _unique_ids(root: Any, prefix: str) -> None:
    """Several figures share a page: their ids and the references to them get the figure's name."""
    ids = {e.get("id") for e in root.iter() if e.get("id")} - {f"title-{prefix}"}
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id" and value in ids:
                element.set(key, f"{prefix}-{value}")
            elif key.endswith("href") and value[1:] in ids:
                element.set(key, f"#{prefix}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", value))


def _best(column: Frame, how: str) -> float:
    values = pd.to_numeric(column, errors="coerce")
    return float(values.min() if how == "min" else values.max())


def sortable(value: Any) -> str:
    """What the page's script sorts a cell by."""
    return repr(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
