"""Write a new plugin package: installable, documented, tested."""

from pathlib import Path

import click

from attns_harness.scaffold import KINDS, write_plugin


@click.command("new-plugin")
@click.argument("name")
@click.option("--kind", default="solver", show_default=True, help=f"One of: {', '.join(KINDS)}.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write [default: attns-NAME].")
def command(name: str, kind: str, out: Path | None) -> None:
    """Write a new plugin package that passes its tests as generated.

    \b
    Example:
      attns new-plugin my-solver --kind solver
    """
    folder = Path(f"attns-{name}") if out is None else out
    for path in write_plugin(name, kind, folder):
        click.echo(path)
    click.echo(f"\nNext:\n  pip install -e '{folder}[test]'\n  attns plugins\n  pytest {folder}")
