"""Plain pages of a site: text and tables whose cells may be links."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from attns_harness.reports.html import asset, environment, formula_mathml, sortable
from attns_harness.reports.text import number


@final
@dataclass(frozen=True, slots=True)
class Link:
    """Text that leads to a file of the site, or to a place in one."""

    text: str
    href: str


@final
@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: text, what it sorts by, and where it leads."""

    text: str
    value: str
    href: str = ""


@final
@dataclass(frozen=True, slots=True)
class Row:
    cells: tuple[Cell, ...]
    anchor: str = ""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class PageTable:
    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """One page."""

    title: str
    nav: tuple[Link, ...] = ()
    text: tuple[str, ...] = ()
    formula: tuple[str, ...] = ()
    tables: tuple[PageTable, ...] = ()
    feed: str = ""


def row(values: Sequence[object], anchor: str = "") -> Row:
    """A row of plain values and links."""
    cells = [Cell(v.text, v.text, v.href) if isinstance(v, Link) else Cell(number(v), sortable(v)) for v in values]
    return Row(tuple(cells), anchor)


def render_page(page: Page) -> str:
    """The page as HTML; every text is escaped by the template engine."""
    from markupsafe import Markup

    def formula(rows: tuple[str, ...]) -> Any:
        return Markup(formula_mathml(rows))

    template = environment().get_template("page.html.j2")
    style, script = Markup(asset("report.css")), Markup(asset("report.js"))
    return template.render(page=page, style=style, script=script, formula_mathml=formula)
