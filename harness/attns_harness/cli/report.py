"""Write reports of a run: HTML, Markdown, LaTeX, CSV, Parquet, or a plugin's format."""

from pathlib import Path

import click

from attns_harness.cli._session import Session, print_json


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "formats", default="html", show_default=True, help="Comma-separated names of formats.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder [default: RUN/report].")
@click.option("--title", default="", help="Title [default: the run's name].")
@click.option(
    "--trajectories",
    is_flag=True,
    help="First solve the best, the median and a diverged run of every problem again, for their figures.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the files written as JSON.")
@click.pass_obj
def command(
    session: Session, run: Path, formats: str, out: Path | None, title: str, trajectories: bool, as_json: bool
) -> None:
    """Write reports of a run: HTML, Markdown, LaTeX, CSV, Parquet, or a plugin's format.

    Only the run's tables are read; nothing is solved again, unless --trajectories asks for it: that
    writes RUN/tables/trajectories.parquet, which `attns run` does by itself.

    \b
    Example:
      attns report results/demo --format html,md,latex,csv --out report
    """
    from attns_harness.reports.write import write_report

    if trajectories:
        from attns_harness.cli.run import keep_pictures
        from attns_harness.matrix_file import load_matrix

        file = load_matrix(run / "matrix.toml")
        keep_pictures(run, file, session.registry_with(file.plugin_files), 0)
    names = [name.strip() for name in formats.split(",") if name.strip()]
    written = write_report(run, out or run / "report", names, registry=session.registry, title=title)
    if as_json:
        print_json([str(path) for path in written])
        return
    for path in written:
        click.echo(path)
