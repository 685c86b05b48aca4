"""Show which plugins were found, what they provide and what is broken."""

import click

from attns_harness.cli._session import Session, console, print_json


@click.command("plugins")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable, with tracebacks.")
@click.option("--verbose", "-v", is_flag=True, help="Print the tracebacks of broken plugins.")
@click.pass_obj
def command(session: Session, as_json: bool, verbose: bool) -> None:
    """Show which plugins were found, what they provide and what is broken.

    \b
    Example:
      attns plugins --json
    """
    records = session.registry.plugins
    if as_json:
        print_json(
            [
                {
                    "name": r.name,
                    "distribution": r.distribution or None,
                    "version": r.version or None,
                    "source": r.source,
                    "ok": r.ok,
                    "error": r.error or None,
                    "traceback": r.traceback or None,
                    "provides": {kind: list(names) for kind, names in r.provides.items()},
                }
                for r in records
            ]
        )
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("plugin", "from", "provides", box=None)
    for r in records:
        what = ", ".join(f"{len(names)} {kind}{'s' * (len(names) > 1)}" for kind, names in r.provides.items())
        table.add_row(Text(r.name), Text(r.origin), Text(what if r.ok else f"BROKEN: {r.error}"))
    out = console()
    out.print(table)
    for r in records:
        if verbose and r.traceback:
            out.print(Text(f"\n{r.name}:\n{r.traceback}"))
