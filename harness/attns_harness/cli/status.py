"""Show how far a run is, also from another shell while it goes on."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from attns_harness.cli._session import console, print_json


@click.command("status")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--failures", "show", default=10, show_default=True, help="Failed cells to list.")
def command(folder: Path, as_json: bool, show: int) -> None:
    """Show how far a run is, also from another shell while it goes on.

    Exit code 1 if a cell failed.

    \b
    Example:
      attns status results/demo --json
    """
    from attns_harness.ownership import owner_of
    from attns_harness.states import FAILED
    from attns_harness.store import read_store

    store = read_store(folder)
    try:
        counts, failures, runs, timed = store.counts(), store.failures(show), store.runs(), store.timed()
    finally:
        store.close()
    owner = owner_of(folder)
    last = runs[-1] if runs else None
    facts: dict[str, Any] = {
        "folder": str(folder),
        "cells": sum(counts.values()),
        "counts": counts,
        "timed": timed,
        "running": owner is not None,
        "pid": owner,
        "started": last["started"] if last else None,
        "finished": last["finished"] if last else None,
        "last_run": _state(last, owner),
        "live": last["live"] if last and owner is not None else None,
        "failures": failures,
    }
    if as_json:
        print_json(facts)
    else:
        _print(facts)
    sys.exit(1 if any(counts.get(s) for s in FAILED) else 0)


def _state(last: dict[str, Any] | None, owner: int | None) -> str | None:
    if last is None:
        return None
    # A killed coordinator cannot say that it ended.
    return "killed" if last["state"] == "running" and owner is None else str(last["state"])


def _print(facts: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console()
    where = f"running as process {facts['pid']}" if facts["running"] else f"last run: {facts['last_run']}"
    out.print(Text(f"{facts['folder']}: {facts['cells']} cells, {facts['timed']} timed; {where}"), soft_wrap=True)
    table = Table("state", "cells", box=None)
    for state, count in facts["counts"].items():
        table.add_row(state, str(count))
    out.print(table)
    live = facts["live"]
    if live:
        left = f", about {live['left_s']:.0f} s left" if live.get("left_s") else ""
        out.print(Text(f"{live['lane']}: {live['done']} tasks done, {live['open']} to go{left}"))
        for worker in live["workers"]:
            since = "" if worker["label"] == "idle" else f" for {time.time() - worker['since']:.0f} s"
            out.print(Text(f"  worker {worker['worker']}: {worker['label']}{since}"), soft_wrap=True)
    for failure in facts["failures"]:
        out.print(Text(f"{failure['state']}: {failure['label']}: {failure['reason']}"), soft_wrap=True)
