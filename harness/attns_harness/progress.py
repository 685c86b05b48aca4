"""Progress: a live view on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from typing import final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from attns_harness.executors import Activity

PLAIN_EVERY_S = 5.0

_STYLES = {"ok": "green", "diverged": "yellow", "skipped": "dim", "error": "red", "timeout": "red", "crashed": "red"}


def counts_line(counts: dict[str, int]) -> str:
    """``120 ok, 4 diverged, 1 timeout``."""
    return ", ".join(f"{n} {state}" for state, n in counts.items() if n) or "nothing yet"


@final
class View:
    """Shows how far a run is. Use as a context manager; :meth:`phase` starts a lane, :meth:`update` moves it."""

    def __init__(self, console: Console, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._live: Live | None = None
        self._last = 0.0
        self._title, self._total, self._started = "", 0, 0.0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._bar = self._progress.add_task("", total=None)

    def __enter__(self) -> "View":
        if self._console.is_terminal and not self._quiet:
            self._live = Live(self._progress, console=self._console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """One line that stays."""
        if not self._quiet:
            self._console.print(Text(line))

    def phase(self, title: str, total: int) -> None:
        """Start a lane of ``total`` tasks."""
        self._title, self._total, self._started, self._last = title, total, time.monotonic(), 0.0
        self._progress.reset(self._bar, description=title, total=total)

    def update(self, done: int, total: int, counts: dict[str, int], workers: Sequence[Activity]) -> None:
        """Show ``done`` tasks of the lane's ``total``, rows per state, and what each worker does."""
        self._total = total
        self._progress.update(self._bar, completed=done, total=total)
        if self._live is not None:
            states = Text.assemble(
                *(part for s, n in counts.items() if n for part in ((f"{n} {s}", _STYLES.get(s, "")), "  "))
            )
            now = time.time()
            lines = [
                Text(f"  worker {w.worker}: {w.label}" + (f" ({now - w.since:.0f} s)" if w.label != "idle" else ""))
                for w in workers
            ]
            self._live.update(Group(self._progress, states, *lines))
        elif not self._quiet and time.monotonic() - self._last > PLAIN_EVERY_S:
            if self._last:
                self._console.print(
                    Text(f"{self._title}: {done}/{self._total}{self._left(done)}; {counts_line(counts)}")
                )
            self._last = time.monotonic()

    def _left(self, done: int) -> str:
        if not 0 < done < self._total:
            return ""
        left = (time.monotonic() - self._started) * (self._total - done) / done
        return f", about {left:.0f} s left"
