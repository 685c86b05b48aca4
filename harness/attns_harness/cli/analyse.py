"""Print one analysis of runs: curves, comparisons, orders, rankings, checks."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from attns_harness.cli._session import Session, console, print_json


def _checks(study: Any) -> Any:
    from attns_harness.analysis.frames import pd

    rows = [{"check": c.name, "verdict": c.verdict, "finding": c.finding, "failing": c.failing,
             "rows": ", ".join(c.rows)} for c in study.fairness]  # fmt: skip
    return pd.DataFrame(rows, columns=["check", "verdict", "finding", "failing", "rows"])


def _failures(study: Any) -> Any:
    from attns_harness.reports.summary import failures

    return failures(study.points.table)


ANALYSES: dict[str, Callable[[Any], Any]] = {
    "points": lambda s: s.points.listed(error=s.error, cost=s.cost),
    "equal-error": lambda s: s.equal_error,
    "equal-cost": lambda s: s.equal_cost,
    "crossovers": lambda s: s.crossovers,
    "fastest-classical": lambda s: s.classical_best,
    "break-even": lambda s: s.break_even,
    "orders": lambda s: s.orders,
    "stability": lambda s: s.stability,
    "stable-steps": lambda s: s.stable_steps,
    "explosions": lambda s: s.explosions,
    "explosions-over-noise": lambda s: s.explosions_over_noise,
    "learning": lambda s: s.learning,
    "profile": lambda s: s.profile.reset_index(names="series"),
    "wins": lambda s: s.ranking,
    "regimes": lambda s: s.regimes,
    "inputs": lambda s: s.inputs,
    "fairness": _checks,
    "failures": _failures,
}
"""Name on the command line -> table of a study."""


@click.command("analyse")
@click.argument("what", type=click.Choice(list(ANALYSES)))
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--error", help="Column of errors [default: error_l2_scaled].")
@click.option("--cost", type=click.Choice(["time", "operations", "nfe", "steps"]),
              help="Cost axis [default: time, operations for runs without timings].")  # fmt: skip
@click.option("--level", "levels", multiple=True, type=float, help="Error to compare at; repeatable.")
@click.option("--over", type=click.Choice(["train_trajectories", "width"]),
              help="Sweep learned solvers over this instead of the step.")  # fmt: skip
@click.option("--tag", "tags", multiple=True, help="Only solvers with this tag; repeatable: all of them.")
@click.option("--without", multiple=True, help="No solver with this tag; repeatable.")
@click.option("--problem", help="Only this problem.")
@click.option("--save", type=click.Path(path_type=Path), help="Write the selected points as a work-precision set.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a row.")
@click.pass_obj
def command(
    session: Session,
    what: str,
    runs: tuple[Path, ...],
    error: str | None,
    cost: str | None,
    levels: tuple[float, ...],
    over: Any,
    tags: tuple[str, ...],
    without: tuple[str, ...],
    problem: str | None,
    save: Path | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Print one analysis of runs: curves, comparisons, orders, rankings, checks.

    RUNS are run folders, or work-precision sets written with --save; several are merged. Tags are
    those of `attns list`, and `learned`, `classical`, `adaptive`, `fixed`, `order-4`, the distribution
    that a solver comes from. What a run's matrix says under [analysis] holds where no option says else.

    \b
    Examples:
      attns analyse equal-error results/demo --level 1e-6
      attns analyse points results/stage_attention --tag learned --over width --csv
    """
    from attns_core.errors import AttnsError
    from attns_harness.analysis.study import Study
    from attns_harness.reports.facts import read_facts
    from attns_harness.reports.terms import terms_of

    points = _merged(runs, session.registry).filter(*tags, problem=problem).exclude(*without)
    if not len(points.table):
        raise AttnsError(f"nothing is left of {len(runs)} run(s) with these tags and this problem")
    given = {"error": error, "cost": cost, "levels": list(levels) or None}
    terms = terms_of(runs[0]).model_copy(update={k: v for k, v in given.items() if v is not None})
    if save is not None:
        points.save(save)
    swept = None if over is None else points.over(over)
    table = ANALYSES[what](Study(points.table, what, session.registry, read_facts(runs[0]).regimes, terms, swept))
    if as_json:
        print_json([{k: _plain(v) for k, v in row.items()} for row in table.to_dict("records")])
    elif as_csv:
        table.to_csv(sys.stdout, index=False)
    else:
        _show(table, what)


def _merged(runs: tuple[Path, ...], registry: Any) -> Any:
    from attns_harness.analysis.table import load_table
    from attns_harness.analysis.work_precision import WorkPrecisionSet

    sets = [
        WorkPrecisionSet.load(run) if run.suffix == ".parquet" else
        WorkPrecisionSet.from_table(load_table(run, registry), registry)
        for run in runs
    ]  # fmt: skip
    return sets[0] if len(sets) == 1 else sets[0].merge(*sets[1:])


def _plain(value: Any) -> Any:
    """A value of strict JSON; infinity keeps its name, what is missing is null."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    return str(value) if isinstance(value, float) and abs(value) == float("inf") else value


def _show(table: Any, what: str) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    if not out.is_terminal:
        # A file or a pipe has no width of its own: nothing is to be cut there.
        out.width = 250
    if table.empty:
        out.print(Text(f"{what}: the results have nothing that it applies to"))
        return
    shown = Table(box=None)
    for name in table.columns:
        shown.add_column(str(name), overflow="fold")
    for row in table.itertuples(index=False):
        shown.add_row(*(Text(_text(v)) for v in row))
    out.print(shown)


def _text(value: Any) -> str:
    value = _plain(value)
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
