"""Markdown: short enough for a pull request, with few figures per problem."""

import re
from pathlib import Path

from attns_harness.reports.document import Document, Section, Table
from attns_harness.reports.figures import render
from attns_harness.reports.headings import displayed
from attns_harness.reports.text import number, visible

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$])")
_TABLES = ("regimes", "inputs", "accuracy", "equal-error", "break-even", "checks")
MOST_ROWS = 20


def escape(text: object) -> str:
    """Plain text for Markdown: nothing in it is markup, and it stays on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(visible(text).split()))


def markdown_table(table: Table) -> str:
    """A pipe table; text is escaped, numbers are rounded, missing values are empty."""
    shown = displayed(table, MOST_ROWS)
    lines = ["| " + " | ".join(escape(h) for h in shown.headings) + " |"]
    lines.append("|" + "|".join("---:" if n else "---" for n in shown.numeric) + "|")
    for row in shown.rows:
        texts = (escape(number(e.value)) for e in row)
        lines.append("| " + " | ".join(f"**{t}**" if e.best else t for e, t in zip(row, texts, strict=True)) + " |")
    if shown.more:
        lines += ["", escape(shown.more)]
    return "\n".join(lines)


def write_markdown(document: Document, out: Path) -> list[Path]:
    """``report.md`` and PNG figures."""
    parts = [f"# {escape(document.title)}", *([escape(document.description)] if document.description else [])]
    parts += ["\n".join(f"- {escape(line)}" for line in document.lead)]
    written: list[Path] = []
    for section in document.sections:
        if section.short:
            parts += _section(section, out, written)
    path = out / "report.md"
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return [*written, path]


def _section(section: Section, out: Path, written: list[Path]) -> list[str]:
    parts = [f"## {escape(section.title)}"]
    if section.findings:
        parts.append("\n".join(f"- {escape(line)}" for line in section.findings))
    for figure in section.figures:
        if not figure.short:
            continue
        image = out / f"{figure.name}.png"
        image.write_bytes(render(figure.draw(), "png"))
        written.append(image)
        parts += [f"![{escape(figure.alt)}]({image.name})", escape(figure.caption)]
    for table in section.tables:
        if table.name in _TABLES:
            parts += [f"**{escape(table.caption)}**", markdown_table(table)]
    return parts
