"""Interleaved timing and the tables it ends in."""

import gc
import platform
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from tabulate import tabulate

RESULTS = Path(__file__).resolve().parent.parent / "results" / "speed"


def interleaved(cases: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every case in every round; each round runs all cases, so drift meets all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in cases.items():
                start = time.perf_counter()
                run()
                seconds[name].append(time.perf_counter() - start)
    finally:
        gc.enable()
    return seconds


def processor() -> str:
    """The CPU's name, as the kernel tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def version(distribution: str) -> str:
    """Of an installed distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def markdown(rows: list[dict[str, Any]]) -> str:
    return tabulate(rows, headers="keys", tablefmt="pipe", floatfmt=".3g")


def write(name: str, title: str, notes: list[str], tables: Mapping[str, list[dict[str, Any]]], folder: Path) -> Path:
    """A Markdown page of notes and tables in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [f"# {title}", "\n".join(f"- {note}" for note in notes)]
    parts += [f"## {heading}\n\n{markdown(rows)}" for heading, rows in tables.items()]
    path = folder / f"{name}.md"
    path.write_text("\n\n".join(parts) + "\n")
    return path
