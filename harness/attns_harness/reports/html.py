"""HTML: one file that opens from disk, asks the network for nothing, and works without a mouse."""

import re
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from attns_harness.reports.document import Document, Figure
from attns_harness.reports.figures import render
from attns_harness.reports.headings import Entry, displayed
from attns_harness.reports.style import GRID, INK, PAPER, SOFT
from attns_harness.reports.text import Interval, number, visible

MOST_ROWS = 100
"""A page shows this many rows of a table."""
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
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
        displayed=partial(displayed, most=MOST_ROWS),
        number=number,
        sortable=sortable,
        classes=_classes,
    )


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
    _plain_attributes(root)
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
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _printable(value: Any) -> Any:
    """Text without characters that reorder or hide what people read; lines stay lines, markup stays markup."""
    if type(value) is not str:
        return value
    return "\n".join(visible(line) for line in value.split("\n"))


@cache
def asset(name: str) -> str:
    """A style sheet or script, to be put into a page."""
    return files("attns_harness.reports").joinpath("templates", name).read_text(encoding="utf-8")


def _classes(entry: Entry, text: str) -> Any:
    """The class attribute of a cell; most have none, which keeps pages small."""
    from markupsafe import Markup

    names = [n for n, holds in (("number", entry.numeric), ("best", entry.best)) if holds]
    if not entry.numeric:
        names += ["short"] if len(text) < 24 else ["long"] if " " in text else []
    return Markup(f' class="{" ".join(names)}"') if names else ""


def _name_series(root: Any, texts: Mapping[str, Sequence[str]]) -> None:
    """Turn the groups that figures named ``curve:NAME`` into ``data-series``, with values for hovering.

    A curve that several panels of a figure show takes its texts in the order of the panels.
    """
    queues = {gid: deque(shown) for gid, shown in texts.items()}
    for element in root.iter():
        gid = element.get("id", "")
        kind, _, name = gid.partition(":")
        if kind in ("curve", "failed", "spread") and name:
            element.attrib.pop("id")
            element.set("data-series", name)
            markers = list(element.iter(f"{{{_SVG}}}use"))
            queue = queues.get(gid, deque())
            if kind == "failed":
                for marker in markers:
                    marker.set("data-value", f"{name}: no result")
            elif len(markers) <= len(queue):
                for marker in markers:
                    marker.set("data-value", queue.popleft())


def _plain_attributes(root: Any) -> None:
    """Coordinates to a hundredth of a point, and colours that follow the page's own."""
    themed = {
        INK: "currentColor",
        "#000000": "currentColor",
        SOFT: "var(--soft)",
        GRID: "var(--line)",
        PAPER: "var(--bg)",
    }
    for element in root.iter():
        for key, value in element.attrib.items():
            if key in ("d", "x", "y", "transform", "points"):
                element.set(key, _LONG_NUMBER.sub(r"\1", value))
            elif key == "style":
                element.set(key, _COLOUR.sub(lambda found: themed.get(found[0], found[0]), value))


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


def sortable(value: Any) -> str:
    """What the page's script sorts a cell by."""
    if isinstance(value, Interval):
        return repr(float(value.low))
    return repr(float(value)) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
