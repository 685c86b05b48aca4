"""Joining runs of one study, problem by problem: part of it was run again, or elsewhere.

What reports compare are rows of one problem. A problem is taken from one run whole, so that what is
compared was timed on one machine by one version of the code; two problems may come from two machines.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd

from attns_core.errors import AttnsError
from attns_harness import training_curves, trajectories
from attns_harness.analysis.frames import Frame
from attns_harness.journal import JOURNAL
from attns_harness.states import OPEN
from attns_harness.tables import coordinates, frame_of, read_environments, read_results, write_tables

_PROBLEM = ("equation", "params", "t_end")


@final
@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a problem's rows come from.

    Parameters
    ----------
    problem : str
    run : path
        The last of the runs with a result of it.
    cells : int
        Rows that the last run's matrix asks for.
    open : int
        Those of them without a result.
    """

    problem: str
    run: Path
    cells: int
    open: int


def join_runs(runs: Sequence[Path], out: Path) -> list[Origin]:
    """Write the tables that the last run's matrix asks for, each problem from the last run that has results of it.

    Parameters
    ----------
    runs : sequence of path
        Run folders, oldest first; their tables and copies of the matrix are enough. The last is a run of the whole
        matrix, perhaps with some of its blocks alone.
    out : path
        Folder for the matrix and the tables, perhaps one of ``runs`` that was published without its journal.

    Returns
    -------
    list of Origin
        One per problem, in the order of the table.

    Raises
    ------
    AttnsError
        Fewer than two runs, a folder without a run, or ``out`` has a journal.
    """
    if len(runs) < 2:
        raise AttnsError("name at least two run folders, oldest first")
    if (out / JOURNAL).exists():
        raise AttnsError(f"{out} has a journal, which its tables are written from: give another --out")
    matrix = runs[-1] / "matrix.toml"
    if not matrix.is_file():
        raise AttnsError(f"{runs[-1]} has no matrix.toml: the last run says what is asked for")
    text = matrix.read_text(encoding="utf-8")
    stored = [_by_coordinates(read_results(run)) for run in runs]
    records: list[dict[str, Any]] = []
    origins: list[Origin] = []
    for problem, asked in _problems(stored[-1]):
        source = next((i for i in reversed(range(len(runs))) if any(_solved(stored[i].get(key)) for key in asked)), -1)
        rows = [stored[source].get(key, unsolved) for key, unsolved in asked.items()]
        left = sum(row["state"] in OPEN for row in rows)
        origins.append(Origin(problem=problem, run=runs[source], cells=len(rows), open=left))
        records += rows
    table = frame_of(records)
    environments = {key: facts for run in runs for key, facts in read_environments(run).items()}
    used = set(table["environment"].dropna())
    curves, states = _curves(runs, table), _states(runs, table)
    out.mkdir(parents=True, exist_ok=True)
    (out / "matrix.toml").write_text(text, encoding="utf-8")
    write_tables(out, table, {key: environments[key] for key in sorted(used & set(environments))})
    for name, frame in ((training_curves.FILE, curves), (trajectories.FILE, states)):
        if len(frame):
            frame.to_parquet(out / "tables" / name, index=False)
    return origins


_Key = tuple[tuple[str, ...], int]


def _by_coordinates(table: Frame) -> dict[_Key, dict[str, Any]]:
    """Rows by what was asked; cells that differ in nothing that the table shows are told apart by their order."""
    seen: Counter[tuple[str, ...]] = Counter()
    found: dict[_Key, dict[str, Any]] = {}
    for row in table.to_dict("records"):
        asked = coordinates(row)
        found[asked, seen[asked]] = row
        seen[asked] += 1
    return found


def _problems(rows: dict[_Key, dict[str, Any]]) -> Iterator[tuple[str, dict[_Key, dict[str, Any]]]]:
    """Problems in the order of a table, each with the rows that are asked for."""
    groups: dict[str, dict[_Key, dict[str, Any]]] = {}
    for key, row in rows.items():
        equation, params, t_end = (row.get(name) for name in _PROBLEM)
        label = f"{equation}[{params}]" if isinstance(params, str) and params else str(equation)
        groups.setdefault(f"{label}, T={t_end:g}", {})[key] = row
    yield from groups.items()


def _solved(row: dict[str, Any] | None) -> bool:
    return row is not None and row["state"] not in OPEN


def _curves(runs: Sequence[Path], table: Frame) -> Frame:
    """Training curves of what the joined table has, of several runs' the last one's."""
    asked = ["equation", "method", "corrector", "recipe", "train_trajectories", "noise", "seed"]

    def keys(frame: Frame, recipe: Any) -> list[tuple[str, ...]]:
        # Curves name the recipe alone, rows its options as well.
        return [coordinates({**row, "recipe": recipe(row)}) for row in frame[asked].to_dict("records")]

    wanted = set(keys(table, lambda row: str(row["recipe"]).partition("[")[0]))
    frames: list[Frame] = []
    have: set[tuple[str, ...]] = set()
    for run in reversed(runs):
        curves = training_curves.read_training_curves(run)
        named = keys(curves, lambda row: row["recipe"])
        frames.append(curves.loc[np.array([key in wanted and key not in have for key in named], dtype=bool)])
        have |= set(named)
    return _stacked(frames)


def _states(runs: Sequence[Path], table: Frame) -> Frame:
    """Kept trajectories of the cells of the joined table."""
    cells = set(table["cell_id"])
    kept = [trajectories.read_trajectories(run) for run in runs]
    return _stacked([frame[frame["cell_id"].isin(cells)] for frame in kept]).drop_duplicates(ignore_index=True)


def _stacked(frames: Sequence[Frame]) -> Frame:
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]
