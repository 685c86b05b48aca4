"""Reports: what is written from a table of results. Registered like everything else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, final

WriteReport: TypeAlias = Callable[[Any, Path, str], Sequence[Path]]
"""``write(table, folder, title)``: a DataFrame with one row per cell -> the files written."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """A report format.

    Parameters
    ----------
    name : str
        As given to ``attns report --format``.
    title : str
    write : callable
        ``write(table, folder, title)`` writes into an existing folder. ``table`` is a pandas DataFrame
        with the columns of ``results.csv``; rows that did not end ``ok`` are in it.
    """

    name: str
    title: str
    write: WriteReport
