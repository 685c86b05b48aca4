"""Show the environment, or verify and repair a run folder."""

import sys
from pathlib import Path
from typing import Any

import click

from attns_harness.cli._session import Session, console, print_json


@click.command("doctor")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--repair", is_flag=True, help="Rebuild indexes; cells that rest on damage will run again.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_obj
def command(session: Session, folder: Path | None, repair: bool, as_json: bool) -> None:
    """Show the environment, or verify and repair a run folder.

    Exit code 1 if something is damaged or a plugin is broken.

    \b
    Example:
      attns doctor
      attns doctor results/demo --repair
    """
    if folder is None:
        _environment(session, as_json)
    else:
        _folder(folder, repair, as_json)


def _environment(session: Session, as_json: bool) -> None:
    from attns_harness import provenance

    facts = provenance.run_facts(session.registry, threads=1)
    facts["kernel_cache"] = _kernel_cache()
    broken = facts["broken_plugins"]
    if as_json:
        print_json(facts)
    else:
        for name, value in _flat(facts):
            console().print(f"{name:28s}{value}", markup=False, soft_wrap=True)
    sys.exit(1 if broken else 0)


def _folder(folder: Path, repair: bool, as_json: bool) -> None:
    from dataclasses import asdict

    from attns_harness.doctor import examine
    from attns_harness.store import read_store

    read_store(folder).close()
    found = examine(folder, repair=repair)
    if as_json:
        print_json({**asdict(found), "sound": found.sound})
    else:
        out = console()
        out.print(f"journal: {'sound' if not found.journal else '; '.join(found.journal)}", markup=False)
        out.print(f"artefacts: {found.artefacts} stored, {len(found.damaged)} damaged", markup=False)
        for reason in found.damaged.values():
            out.print(f"  {reason}", markup=False, soft_wrap=True)
        if repair:
            out.print(f"{found.returned} cells will run again; indexes rebuilt", markup=False)
        elif not found.sound:
            out.print("repair with: attns doctor --repair " + str(folder), markup=False, soft_wrap=True)
    sys.exit(0 if found.sound or repair else 1)


def _kernel_cache() -> dict[str, Any]:
    from dataclasses import asdict

    from attns_core.kernels.cache import cache_report

    return {k: str(v) if isinstance(v, Path) else v for k, v in asdict(cache_report()).items()}


def _flat(facts: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows
