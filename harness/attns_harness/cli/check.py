"""Run the conformance checks on anything registered."""

from pathlib import Path
from typing import Any

import click

from attns_core.errors import AttnsError, UnknownNameError
from attns_core.registry import Registry
from attns_harness.cli._session import Session, console, print_json

_COLOURS = {"passed": "green", "failed": "red", "unexpected": "red", "expected": "yellow", "skipped": "dim"}


@click.command("check")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--kind", help="Only this kind (default: every kind that has the name).")
@click.option("--only", multiple=True, metavar="CHECK", help="Only this check; repeatable.")
@click.option("--expect", multiple=True, metavar="CHECK=REASON", help="A check known to fail; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_obj
def command(
    session: Session, names: tuple[str, ...], kind: str | None, only: tuple[str, ...], expect: tuple[str, ...],
    as_json: bool,
) -> int:  # fmt: skip
    """Run the conformance checks on anything registered; exit code 1 if one fails.

    \b
    Examples:
      attns check rk4
      attns --plugin my_solver.py check my-solver
    """
    from attns_core.testing import Context, run_checks

    context = Context(registry=session.registry, plugin_files=tuple(Path(p).resolve() for p in session.plugins))
    expected = dict(_split(item) for item in expect)
    results = [
        result
        for name in names
        for found in _kinds(session.registry, name, kind)
        for result in run_checks(context, found, name, only=only, expected=expected)
    ]
    failed = [r for r in results if not r.ok]
    if as_json:
        keys = ("kind", "name", "check", "status", "reason", "seconds")
        print_json({"ok": not failed, "checks": [{k: getattr(r, k) for k in keys} for r in results]})
    else:
        _show(results)
    return 1 if failed else 0


def _split(item: str) -> tuple[str, str]:
    check, equals, reason = item.partition("=")
    if not equals or not reason.strip():
        raise AttnsError(f"--expect takes CHECK=REASON, got {item!r}")
    return check.strip(), reason.strip()


def _kinds(registry: Registry, name: str, kind: str | None) -> list[str]:
    from attns_core.testing import checked_kinds

    kinds = checked_kinds()
    if kind is not None:
        if kind not in kinds:
            raise UnknownNameError("kind with checks", kind, kinds)
        registry.get(kind, name)
        return [kind]
    found = [k for k in kinds if name in registry.names(k)]
    if not found:
        raise UnknownNameError("registered name", name, {n for k in kinds for n in registry.names(k)})
    return found


def _show(results: list[Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("", "check", "", box=None)
    for r in results:
        table.add_row(Text(r.status, _COLOURS[r.status]), Text(f"{r.name} {r.check}"), Text(r.reason))
    out = console()
    out.print(table)
    counts = {s: sum(r.status == s for r in results) for s in _COLOURS}
    out.print(", ".join(f"{n} {s}" for s, n in counts.items() if n))
