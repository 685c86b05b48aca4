"""Tables as people read them: headings in words, an interval in one column, the best value marked."""

from dataclasses import dataclass
from typing import Any, final

from attns_harness.analysis.frames import Frame, pd
from attns_harness.reports.document import Table
from attns_harness.reports.text import Interval

HEADINGS = {
    "series": "solver",
    "train_trajectories": "training trajectories",
    "rollout_mse": "rollout MSE",
    "exploded": "exploded share",
    "diverged": "diverged share",
    "best error": "smallest error",
    "at": "reached at",
    "rhs evaluations": "RHS evaluations",
    "seeds_reached": "seeds that reach it",
    "baseline": "against",
    "baseline_cost": "cost of that",
    "control": "step or tolerance",
    "dt_min": "from step",
    "dt_max": "to step",
    "straight": "straight line",
    "rate": "diverged share",
    "fastest": "cheapest",
    "solved": "ever",
}
"""Column -> heading, where they differ."""

_INTERVALS = (("low", "high", "95 % interval"), ("exploded_low", "exploded_high", "interval of that"))


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One cell: the value, whether it is the best of its column, and whether it is a number."""

    value: Any
    best: bool = False
    numeric: bool = False


@final
@dataclass(frozen=True, slots=True)
class Displayed:
    """Headings and rows of a table, and a sentence on rows left out."""

    headings: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Entry, ...], ...]
    more: str


def displayed(table: Table, most: int) -> Displayed:
    """At most ``most`` rows of a table."""
    frame, more = table.cut(most)
    best = {c: _best(table.frame[c], how) for c, how in table.best.items() if c in frame}
    columns: list[tuple[str, bool, list[Entry]]] = []
    paired = {low: (high, heading) for low, high, heading in _INTERVALS if low in frame and high in frame}
    skipped = {high for high, _ in paired.values()}
    for name in frame.columns:
        if len(frame) and frame[name].isna().all() and name not in skipped:
            # Nothing was measured or applies: the column would only take room.
            continue
        if name in paired:
            high, heading = paired[name]
            # An interval of two empty ends is empty.
            ends = zip(frame[name], frame[high], strict=True)
            entries = [Entry(None if pd.isna(a) and pd.isna(b) else Interval(a, b)) for a, b in ends]
            columns.append((heading, False, entries))
        elif name not in skipped:
            number = pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
            entries = [Entry(v, name in best and v == best[name], number) for v in frame[name]]
            columns.append((HEADINGS.get(name) or str(name).replace("_", " "), number, entries))
    return Displayed(
        headings=tuple(heading for heading, _, _ in columns),
        numeric=tuple(number for _, number, _ in columns),
        rows=tuple(zip(*(entries for _, _, entries in columns), strict=True)),
        more=more,
    )


def _best(column: Frame, how: str) -> float:
    values = pd.to_numeric(column, errors="coerce")
    return float(values.min() if how == "min" else values.max()) if values.notna().any() else float("nan")
