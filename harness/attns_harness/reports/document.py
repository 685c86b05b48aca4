"""What a report says, apart from how it is written: sections with text, figures and tables."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

from attns_harness.analysis.frames import Frame

LONG_TABLES = "report-tables"
"""Folder beside a report with all rows of the tables that it shows in part."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Figure:
    """A figure, drawn when it is written.

    Parameters
    ----------
    name : str
        Unique in the document; the stem of its file.
    alt : str
        What it shows, for those who do not see it.
    draw : callable
        Returns a matplotlib figure.
    short : bool
        Whether short formats (Markdown) show it too.
    """

    name: str
    caption: str
    alt: str
    draw: Callable[[], Any]
    short: bool = False


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A table of plain values.

    Parameters
    ----------
    best : mapping of str to str
        Column -> ``"min"`` or ``"max"``: which value is set in bold.
    """

    name: str
    caption: str
    frame: Frame
    best: dict[str, str] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        """For notebooks: as in a report."""
        from attns_harness.reports.notebook import table_html

        return table_html(self)

    def cut(self, rows: int) -> tuple[Frame, str]:
        """The first rows, and a sentence on where the others are, empty if there are none."""
        more = len(self.frame) - rows
        return self.frame.head(rows), f"{more} more rows are in {LONG_TABLES}/{self.name}.csv." if more > 0 else ""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """A heading with what stands under it, in this order.

    Parameters
    ----------
    findings : tuple of str
        Sentences listed under the text.
    formula : tuple of str
        LaTeX rows ``left &= right``.
    code : str
        Shown as it is.
    short : bool
        Whether short formats (Markdown) show it too.
    """

    name: str
    title: str
    text: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    formula: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    code: str = ""
    short: bool = False


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Document:
    """A report.

    Parameters
    ----------
    lead : tuple of str
        The verdicts, one sentence each, unfavourable ones included.
    bibliography : tuple of Citation
        Everything that took part.
    subtitle, description : str
        Under the title: which run this is, and what it asks.
    """

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    bibliography: tuple[Any, ...] = ()
    subtitle: str = ""
    description: str = ""
