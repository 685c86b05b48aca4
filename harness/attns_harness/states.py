"""States of a cell: what became of it."""

from typing import Literal, TypeAlias

State: TypeAlias = Literal[
    "ok", "diverged", "error", "timeout", "crashed", "oom", "skipped", "interrupted", "not_run", "stale"
]

STATES: tuple[State, ...] = (
    "ok",
    "diverged",
    "error",
    "timeout",
    "crashed",
    "oom",
    "skipped",
    "interrupted",
    "not_run",
    "stale",
)

FAILED: frozenset[State] = frozenset({"error", "timeout", "crashed", "oom"})
"""Failures of code: they decide the exit code. ``diverged`` is mathematics, ``skipped`` configuration."""

OPEN: frozenset[State] = frozenset({"interrupted", "not_run", "stale"})
"""Without a valid result: every run takes these up again."""

SOLVED: frozenset[State] = frozenset({"ok", "diverged"})
"""With a solution that was measured, and can be timed."""
