"""Run a matrix, or continue it where it stopped."""

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from attns_harness.cli._session import Session, console


@click.command("run")
@click.argument("matrix", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Run folder [default: results/NAME].")
@click.option("--dry-run", is_flag=True, help="List the cells and run nothing.")
@click.option("--quick", is_flag=True, help="Run the part that the matrix names in [quick], as NAME-quick.")
@click.option("--only", help="Comma-separated: failed, stale, missing.")
@click.option("--block", "blocks", multiple=True, help="Run this block alone, by name or pattern; repeatable.")
@click.option("--retry", is_flag=True, help="Run failed cells again.")
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes [default: one per core].")
@click.option("--timing/--no-timing", default=None, help="Overrule the matrix.")
@click.option("--unlike-machines", is_flag=True, help="Time here although stored timings are another machine's.")
@click.option("--executor", type=click.Choice(["local", "dask", "slurm"]), default="local", show_default=True)
@click.option("--scheduler", default="", help="Address of a running Dask scheduler.")
@click.option("--report/--no-report", default=True, help="Write plots and a Markdown report.")
@click.option("--allow-failures", is_flag=True, help="Exit with 0 although cells failed.")
@click.option("--quiet", "-q", is_flag=True, help="Print the summary alone.")
@click.pass_obj
def command(
    session: Session,
    matrix: Path,
    out: Path | None,
    dry_run: bool,
    quick: bool,
    only: str | None,
    blocks: tuple[str, ...],
    retry: bool,
    workers: int | None,
    timing: bool | None,
    unlike_machines: bool,
    executor: str,
    scheduler: str,
    report: bool,
    allow_failures: bool,
    quiet: bool,
) -> None:
    """Run a matrix, or continue it where it stopped.

    The run folder holds the journal, the tables (CSV and Parquet), timings that pyperf reads, and the
    report. Exit code 1 if a cell failed.

    \b
    Example:
      attns run examples/demo.toml
      attns run examples/demo.toml --only failed --retry
      attns run studies/limited_data.toml --quick
      attns run studies/regimes.toml --block "8-link*" --out results/links
    """
    from attns_harness.matrix_file import load_matrix

    file = load_matrix(matrix)
    if quick:
        from attns_harness.quick import quick as reduced

        file = reduced(file)
    registry = session.registry_with(file.plugin_files)
    folder = out or Path("results") / file.matrix.name
    from attns_harness.progress import View
    from attns_harness.runner import RunOptions, run_matrix

    options = RunOptions(
        workers=workers or 0,
        only=tuple(n.strip() for n in only.split(",") if n.strip()) if only else (),
        blocks=blocks,
        retry=retry,
        timing=timing,
        unlike_machines=unlike_machines,
        executor=executor,
        scheduler=scheduler,
        command=" ".join(sys.argv[1:]),
    )
    if dry_run:
        _dry_run(file, registry, folder, options)
        return
    with View(console(stderr=True), quiet=quiet) as view:
        summary = run_matrix(file, folder, registry, options, view)
    if report and not summary.interrupted:
        from attns_harness.reports.write import write_report

        keep_pictures(folder, file, registry, options.workers)
        write_report(folder, folder, ("md",))
    _print_summary(summary)
    if summary.interrupted:
        again = f"attns run {matrix}" + (" --quick" if quick else "") + (f" --out {out}" if out else "")
        again += "".join(f" --block {shlex.quote(name)}" for name in blocks)
        click.echo(f"interrupted; what was finished is stored. Continue with: {again}", err=True)
        sys.exit(130)
    if (summary.failures or summary.untimed) and not allow_failures:
        sys.exit(1)


def keep_pictures(folder: Path, file: Any, registry: Any, workers: int) -> None:
    """What reports draw beyond the rows: training curves, and states of a few cells, solved again if need be."""
    from attns_harness.training_curves import keep_training_curves
    from attns_harness.trajectories import keep_trajectories

    keep_training_curves(folder)
    cores = len(os.sched_getaffinity(0))
    for line in keep_trajectories(folder, file, registry, workers=workers or cores):
        click.echo(f"no trajectory kept: {line}", err=True)


def _dry_run(file: Any, registry: Any, folder: Path, options: Any) -> None:
    from collections import Counter

    from attns_harness.journal import JOURNAL
    from attns_harness.plan import make_plan
    from attns_harness.runner import part_of, wanted_states
    from attns_harness.store import Standing, read_store

    plan = make_plan(file.matrix, registry, file.path.parent)
    stored: dict[str, Standing] = {}
    if (folder / JOURNAL).is_file():
        store = read_store(folder)
        stored = store.states()
        store.close()
    wanted, todo = wanted_states(options), 0
    part = {p.point for p in part_of(plan, file.matrix, options.blocks).cells}
    states: Counter[str] = Counter()
    for planned in plan.cells:
        row = stored.get(planned.point, Standing("not_run", planned.id))
        state = row.state if row.cell_id == planned.id or row.state == "not_run" else "stale"
        states[state] += 1
        taken = state in wanted and planned.point in part
        todo += taken
        click.echo(f"{planned.id}  {'run' if taken else 'keep'}  {state:11s}  {planned.cell.label}")
    kinds = Counter(a.kind for a in plan.artefacts.values())
    shared = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))
    counts = ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
    click.echo(
        f"{len(plan.cells)} cells ({counts}), {todo} to run; shared artefacts: {shared or 'none'}; folder: {folder}"
    )


def _print_summary(summary: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    table = Table("state", "cells", box=None)
    for state, count in summary.counts.items():
        table.add_row(state, str(count))
    out.print(table)
    for failure in summary.failures:
        out.print(Text(f"{failure['state']}: {failure['label']}: {failure['reason']}"), soft_wrap=True)
    if summary.untimed:
        out.print(Text(f"{summary.untimed} cells could not be timed: see the column timing_reason"))
    out.print(Text(f"{summary.executed} cells run, {summary.timed} timed; results in {summary.folder}"), soft_wrap=True)
