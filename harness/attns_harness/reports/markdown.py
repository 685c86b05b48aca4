"""Markdown: short enough for a pull request."""

import re
from pathlib import Path

import numpy as np

from attns_harness.analysis.frames import Column, Frame, pd
from attns_harness.analysis.work_precision import WorkPrecisionSet
from attns_harness.reports.figures import render, work_precision_figure
from attns_harness.reports.style import looks
from attns_harness.reports.summary import states, summary

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")


def escape(text: object) -> str:
    """Plain text for Markdown: nothing in it is markup, and it stays on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def markdown_table(frame: Frame) -> str:
    """A pipe table; text is escaped, numbers are rounded, missing values are empty."""
    lines = ["| " + " | ".join(escape(c) for c in frame.columns) + " |"]
    lines.append("|" + "|".join("---:" if _numeric(frame[c]) else "---" for c in frame.columns) + "|")
    lines += ["| " + " | ".join(cell(v) for v in row) + " |" for row in frame.itertuples(index=False)]
    return "\n".join(lines)


def cell(value: object) -> str:
    """One value of a table as text."""
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    if isinstance(value, float | np.floating):
        return f"{value:.3g}"
    return escape(value)


def file_name(text: str) -> str:
    """A safe file name for a label: letters, digits, dot, dash; nothing that is a path."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip(".-")[:80] or "unnamed"


def write_markdown(table: Frame, out: Path, *, title: str) -> list[Path]:
    """``report.md`` and a PNG per problem."""
    points = WorkPrecisionSet.from_table(table)
    drawn = looks(points.series(), set(table.loc[table["learned"], "series"]))
    lines = [f"# {escape(title)}", "", _counts(table), ""]
    written: list[Path] = []
    error = (points.errors() or ["error_l2_scaled"])[0]
    cost = "time" if table["time_min_s"].notna().any() else "nfe"
    for problem in points.problems:
        image = out / f"work-precision-{file_name(problem)}.png"
        image.write_bytes(render(work_precision_figure(points, problem, drawn, error=error, cost=cost), "png"))
        written.append(image)
        rows = table[table["problem"] == problem]
        alternative = (
            f"Work-precision diagram of {problem}: {error} against {cost} for {rows['series'].nunique()} solvers"
        )
        lines += [f"## {escape(problem)}", "", f"![{escape(alternative)}]({image.name})", ""]
        lines += [markdown_table(summary(rows, error)), ""]
    path = out / "report.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    return [*written, path]


def _numeric(column: Column) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def _counts(table: Frame) -> str:
    counted = ", ".join(f"{count} {escape(name)}" for name, count in states(table).items())
    return f"{len(table)} cells: {counted}." if len(table) else "The run has no cells."
