"""List what is registered: equations, coordinates, methods, correctors, recipes, backends, solvers, metrics."""

from typing import Any

import click

from attns_harness.cli._session import Session, console, print_json


@click.command("list")
@click.argument("kind", required=False)
@click.option("--tag", "tags", multiple=True, help="Only objects with this tag; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_obj
def command(session: Session, kind: str | None, tags: tuple[str, ...], as_json: bool) -> None:
    """List what is registered: equations, coordinates, methods, correctors, recipes, backends, solvers, metrics.

    \b
    Example:
      attns list equations --tag chaotic
    """
    registry = session.registry
    known = [k.name for k in registry.kinds]
    kinds = known if kind is None else [kind.removesuffix("s") if kind.removesuffix("s") in known else kind]
    found = {k: [o for o in registry.all(k) if set(tags) <= set(getattr(o, "tags", ()))] for k in kinds}
    if as_json:
        print_json({k: [_facts(registry, k, o) for o in objects] for k, objects in found.items()})
        return
    from rich.table import Column, Table
    from rich.text import Text

    out = console()
    for k, objects in found.items():
        # A name is what one types: it is never shortened.
        table = Table(Column(k, no_wrap=True, overflow="fold"), "", "tags", "plugin", box=None, title_justify="left")
        table.columns[0].min_width = max((len(o.name) for o in objects), default=0)
        for o in objects:
            facts = _facts(registry, k, o)
            table.add_row(*(Text(str(v)) for v in (o.name, facts["title"], ", ".join(facts["tags"]), facts["plugin"])))
        out.print(table)
        out.print()


def _facts(registry: Any, kind: str, value: Any) -> dict[str, Any]:
    citation = getattr(value, "citation", None)
    facts = {
        "name": value.name,
        "title": getattr(value, "title", ""),
        "tags": sorted(getattr(value, "tags", ())),
        "plugin": registry.owner(kind, value.name).origin,
        "citation": citation.text() if citation else None,
    }
    if kind == "equation":
        facts |= {"dim": value.dim, "t_end": value.t_end, "dts": list(value.dts), "params": _params(value)}
    if kind == "method":
        facts |= {"order": value.order, "adaptive": value.is_adaptive}
    return facts


def _params(equation: Any) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in equation.p.items()}
