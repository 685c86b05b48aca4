"""Markdown: short enough for a pull request, with one figure per problem."""

import re
from pathlib import Path

from attns_harness.analysis.frames import pd
from attns_harness.reports.document import Document, Section, Table
from attns_harness.reports.figures import render
from attns_harness.reports.text import number, visible

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$])")
_TABLES = ("regimes", "inputs", "accuracy", "equal-error", "break-even", "checks")
MOST_ROWS = 20


def escape(text: object) -> str:
    """Plain text for Markdown: nothing in it is markup, and it stays on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(visible(text).split()))


def markdown_table(table: Table) -> str:
    """A pipe table; text is escaped, numbers are rounded, missing values are empty."""
    frame, more = table.cut(MOST_ROWS)
    lines = ["| " + " | ".join(escape(c) for c in frame.columns) + " |"]
    right = [pd.api.types.is_numeric_dtype(frame[c]) for c in frame.columns]
    lines.append("|" + "|".join("---:" if r else "---" for r in right) + "|")
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join(escape(number(v)) for v in row) + " |")
    if more:
        lines += ["", escape(more)]
    return "\n".join(lines)


def write_markdown(document: Document, out: Path) -> list[Path]:
    """``report.md`` and a PNG per problem."""
    parts = [f"# {escape(document.title)}", "\n".join(f"- {escape(line)}" for line in document.lead)]
    written: list[Path] = []
    for section in document.sections:
        if section.short:
            parts += _section(section, out, written)
    path = out / "report.md"
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return [*written, path]


def _section(section: Section, out: Path, written: list[Path]) -> list[str]:
    parts = [f"## {escape(section.title)}"]
    for figure in section.figures[:1]:
        image = out / f"{figure.name}.png"
        image.write_bytes(render(figure.draw(), "png"))
        written.append(image)
        parts += [f"![{escape(figure.alt)}]({image.name})", escape(figure.caption)]
    for table in section.tables:
        if table.name in _TABLES:
            parts += [f"**{escape(table.caption)}**", markdown_table(table)]
    return parts
