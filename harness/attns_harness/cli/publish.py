"""Publish runs as a static site, or check its links."""

from pathlib import Path

import click

from attns_core.errors import AttnsError
from attns_harness.cli._session import Session


@click.command("publish")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--site", required=True, type=click.Path(path_type=Path), help="Folder of the site.")
@click.option("--format", "formats", default="html,csv", show_default=True, help="Formats written for every run.")
@click.option("--check", is_flag=True, help="Check every link of the site; exit with 1 if one is broken.")
@click.pass_obj
def command(session: Session, runs: tuple[Path, ...], site: Path, formats: str, check: bool) -> int:
    """Publish runs as a static site, or check its links.

    One page per run, equation and solver, a leaderboard by regime, and a feed; plain files, no server.

    \b
    Example:
      attns publish results/demo results/study --site public --check
    """
    from attns_harness.reports.links import broken_links
    from attns_harness.reports.site import publish

    if not runs and not check:
        raise AttnsError("name at least one run folder, or --check for a site that is there")
    names = [name.strip() for name in formats.split(",") if name.strip()]
    if "html" not in names:
        raise AttnsError("a site needs the format html")
    if runs:
        written = publish(runs, site, registry=session.registry, formats=names)
        click.echo(f"{len(written)} files in {site}")
    if not check:
        return 0
    broken = broken_links(site)
    for line in broken:
        click.echo(line, err=True)
    click.echo(f"{len(broken)} broken links")
    return 1 if broken else 0
