"""Display in notebooks: tables and work-precision sets as HTML fragments, escaped as in reports."""

from html import escape

from attns_harness.analysis.frames import pd
from attns_harness.analysis.work_precision import COSTS, WorkPrecisionSet
from attns_harness.reports.document import Figure, Table
from attns_harness.reports.figures import work_precision_figure
from attns_harness.reports.headings import displayed
from attns_harness.reports.html import figure_svg
from attns_harness.reports.style import looks
from attns_harness.reports.text import file_name, number

MOST_ROWS = 60
_MOST_DIAGRAMS = 4


def table_html(table: Table) -> str:
    """A table without a script or style of its own."""
    shown = displayed(table, MOST_ROWS)
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in shown.headings)
    rows = (
        "".join(f"<td><b>{escape(number(e.value))}</b></td>" if e.best else f"<td>{escape(number(e.value))}</td>"
                for e in row)
        for row in shown.rows
    )  # fmt: skip
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    more = f"<p>{len(table.frame) - MOST_ROWS} more rows.</p>" if shown.more else ""
    caption = f"<caption>{escape(table.caption)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def work_precision_html(points: WorkPrecisionSet) -> str:
    """A diagram of each of the first problems, and the geometric means of every curve."""
    error = (points.errors() or ["error_l2_scaled"])[0]
    cost = next((c for c in ("time", "operations") if points.table[COSTS[c][0]].notna().any()), "nfe")
    learned = set(points.table.loc[points.table["learned"], "series"])
    drawn = looks(points.series(), learned)
    parts = []
    for problem in points.problems[:_MOST_DIAGRAMS]:
        figure = Figure(
            name=f"set-{file_name(problem)}",
            caption="",
            alt=f"Work-precision diagram of {problem}",
            draw=lambda p=problem: work_precision_figure(points, p, drawn, error=error, cost=cost),
        )
        # The page's colours are unknown here: a notebook shows plots on white.
        style = "--bg:#fff;--line:#ddd;--soft:#57606a;color:#1b1f23;background:#fff;max-width:44rem"
        parts.append(f'<div style="{style}">{figure_svg(figure)}</div>')
    columns = ["problem", "series", "control", "error", "cost", "below_reference"]
    curves = [(p, s, points.curve(p, s, error=error, cost=cost)) for p in points.problems for s in points.series(p)]
    frames = [c.means().assign(problem=p, series=s) for p, s, c in curves]
    frame = pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
    return "".join(parts) + table_html(Table(name="means", caption="Geometric means over seeds", frame=frame))
