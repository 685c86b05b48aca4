"""Judge a run against an older one: improvement, regression, invariant or missing."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from attns_harness.cli._session import console, print_json

WIDTH = 180
"""Of the table where it is not shown in a terminal."""


@click.command("compare")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
@click.option("--fail-on", type=click.Choice(["regression", "missing", "nothing"]), default="nothing",
              show_default=True, help="Exit with 1 if there is any (missing: or a regression).")  # fmt: skip
@click.option("--time", "time_", default=5.0, show_default=True, help="Tolerated change of times, percent.")
@click.option("--accuracy", default=10.0, show_default=True, help="Tolerated change of errors, percent.")
@click.option("--stability", default=1.0, show_default=True, help="Tolerated change of diverged share, percent.")
@click.option("--rerun", is_flag=True, help="Measure times that may have changed again, both runs alternating.")
@click.option("--python-a", default=sys.executable, help="Interpreter that has the code of RUN_A, for --rerun.")
@click.option("--python-b", default=sys.executable, help="Interpreter that has the code of RUN_B, for --rerun.")
@click.option("--unlike-machines", is_flag=True, help="Compare times although the machines differ.")
@click.option("--all", "show_all", is_flag=True, help="Show invariant rows too.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table as Markdown, for a pull request.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def command(
    run_a: Path,
    run_b: Path,
    fail_on: str,
    time_: float,
    accuracy: float,
    stability: float,
    rerun: bool,
    python_a: str,
    python_b: str,
    unlike_machines: bool,
    show_all: bool,
    markdown: Path | None,
    as_json: bool,
) -> int:
    """Judge run B against the older run A, in time, accuracy and stability.

    A difference counts only beyond the tolerance and with an interval over the raw values that excludes
    equality. Cells are matched by what was asked; what only one run has is reported as missing.

    \b
    Example:
      attns compare results/main results/branch --fail-on regression
    """
    from attns_harness.analysis.judge import Tolerance, judge
    from attns_harness.analysis.sides import read_side, refuse_unlike
    from attns_harness.reports.changes import changes_markdown
    from attns_harness.retime import Alternation, Contestant

    old, old_cells = read_side(run_a)
    new, new_cells = read_side(run_b)
    if not unlike_machines:
        refuse_unlike(new, old)

    tolerance = Tolerance(time=time_ / 100, accuracy=accuracy / 100, stability=stability / 100)
    both = (
        Contestant(run_dir=run_b, cells=new_cells, python=python_b),
        Contestant(run_dir=run_a, cells=old_cells, python=python_a),
    )
    with Alternation(*both) as again:
        found = judge(new, old, tolerance, rerun=again if rerun else None)
    counts = {v: sum(j.verdict == v for j in found) for v in ("regression", "improvement", "invariant", "missing")}
    if markdown is not None:
        markdown.write_text(changes_markdown(found, str(run_a), str(run_b)), encoding="utf-8")
    if as_json:
        print_json({"counts": counts, "judgements": [_plain(j) for j in found]})
    else:
        _show(found, counts, show_all)
    bad = {"regression": counts["regression"], "missing": counts["regression"] + counts["missing"], "nothing": 0}
    return 1 if bad[fail_on] else 0


def _plain(judgement: Any) -> dict[str, Any]:
    """Strict JSON: no infinity, no NaN."""
    import math

    def finite(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return {k: finite(v) for k, v in value.items()} if isinstance(value, dict) else value

    return {**finite(asdict(judgement)), "key": list(judgement.key)}


def _show(found: list[Any], counts: dict[str, int], show_all: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    shown = [j for j in found if show_all or j.verdict != "invariant"]
    if shown:
        if not out.is_terminal:
            # A file or a pipe has no width of its own: what cells are called must not be cut there.
            out.width = WIDTH
        table = Table(box=None)
        for name in ("verdict", "aspect", "what", "old", "new", "new / old", "remark"):
            table.add_column(name, overflow="fold")
        colours = {"regression": "red", "improvement": "green", "missing": "yellow"}
        for j in shown:
            cells = [j.verdict, j.aspect, " ".join(j.key), _number(j.old), _number(j.new),
                     j.ratio.text() if j.ratio else "", j.remark]  # fmt: skip
            table.add_row(*(Text(c) for c in cells), style=colours.get(j.verdict, ""))
        out.print(table)
    out.print(Text(", ".join(f"{n} {name}" for name, n in counts.items())))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
