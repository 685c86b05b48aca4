"""Join runs of one study, problem by problem."""

from pathlib import Path

import click

from attns_harness.cli._session import console


@click.command("join")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the matrix and the tables.")
def command(runs: tuple[Path, ...], out: Path) -> None:
    """Join runs of one study, problem by problem.

    For a study of which part was run again, or on another machine. The last run's matrix says what is asked for; every
    problem is taken whole from the last run that has results of it, so that no comparison mixes machines or versions.
    Only tables and matrix are read and written: reports, sites and analyses need no more.

    \b
    Example:
      attns run studies/regimes.toml --block "8-link*" --out results/links
      attns join results/regimes results/links --out results/regimes
    """
    from rich.table import Table
    from rich.text import Text

    from attns_harness.join import join_runs

    origins = join_runs(runs, out)
    shown = console()
    table = Table("problem", "run", "cells", "without result", box=None)
    for origin in origins:
        values = (origin.problem, origin.run, origin.cells, origin.open or "")
        table.add_row(*(Text(str(value)) for value in values))
    shown.print(table)
    shown.print(Text(f"{sum(o.cells for o in origins)} cells in {out}"), soft_wrap=True)
