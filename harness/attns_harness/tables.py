"""Tables: the journal as tidy Parquet and CSV, one row per cell, whatever happened to it."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attns_core.errors import AttnsError
from attns_harness.cells import Cell
from attns_harness.provenance import GPU_COLUMNS
from attns_harness.store import Store, read_store

LEADING = (
    "cell_id",
    "state",
    "reason",
    "equation",
    "solver",
    "method",
    "corrector",
    "backend",
    "dtype",
    "dt",
    "rtol",
    "steps_per_save",
    "train_trajectories",
    "noise",
    "seed",
    "t_end",
    "n_trajectories",
    "error_final",
    "error_l2",
    "error_linf",
    "error_final_rel",
    "error_l2_rel",
    "error_linf_rel",
    "diverged_fraction",
    "divergence_time",
    "invariant_drift",
    "nfe",
    "n_steps",
    "operations",
    "time_min_s",
    "time_median_s",
    "first_call_s",
    "reference_uncertainty",
    "input",
    "recipe",
    "width",
    "train_seconds",
    "data_seconds",
    "held_out_relative_error",
    "params",
)
"""Columns that every table has, in this order; further metric columns follow by name."""

TIMED = frozenset(
    {
        "time_min_s",
        "time_median_s",
        "time_iqr_s",
        "time_samples",
        "timed_trajectories",
        "unstable",
        "timing_reason",
        "first_call_s",
        "train_seconds",
        "data_seconds",
    }
)
"""Columns that differ between two runs of the same matrix; all others are reproduced byte for byte."""

PROVENANCE = (
    "environment",
    "attns_version",
    "git_commit",
    "git_dirty",
    "python_version",
    "numba_version",
    "cpu",
    "threads",
)

TEXT = frozenset(
    {
        *GPU_COLUMNS,
        "cell_id",
        "state",
        "reason",
        "equation",
        "solver",
        "method",
        "corrector",
        "corrector_options",
        "backend",
        "dtype",
        "dataset_id",
        "input",
        "recipe",
        "params",
        "timing_reason",
        "environment",
        "attns_version",
        "git_commit",
        "python_version",
        "numba_version",
        "cpu",
    }
)
INTEGERS = frozenset(
    {
        "train_trajectories",
        "seed",
        "n_trajectories",
        "width",
        "time_samples",
        "timed_trajectories",
        "order",
        "n_weights",
        "threads",
    }
)
FLAGS = frozenset({"unstable", "gated", "git_dirty"})


COORDINATES = (
    "equation", "params", "solver", "method", "corrector", "corrector_options", "recipe", "coordinates", "backend",
    "dtype", "dt", "rtol", "steps_per_save", "train_trajectories", "train_t_end", "noise", "seed", "t_end",
    "save_every", "n_trajectories",
)  # fmt: skip
"""Columns that say what was asked of a cell."""


def coordinates(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What was asked of a cell, comparable between runs: empty text where an axis has no value."""

    def text(value: Any) -> str:
        if value is None or value is pd.NA or value != value:
            return ""
        return f"{float(value):.12g}" if isinstance(value, int | float | np.number) else str(value)

    return tuple(text(row.get(name)) for name in COORDINATES)


def frame(store: Store) -> pd.DataFrame:
    """The result table of an open journal, rows in the order of the matrix's coordinates."""
    environments = store.environments()
    return frame_of([_record(row, environments) for row in store.rows()])


def frame_of(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Records of cells as a result table: the leading columns, further ones by name, where a row came from."""
    extra = sorted({k for r in records for k in r} - {*LEADING, *PROVENANCE})
    table = pd.DataFrame.from_records(records, columns=[*LEADING, *extra, *PROVENANCE])
    for name in table.columns:
        table[name] = table[name].astype(_dtype(name, table[name]))
    return table


def read_results(run_dir: str | Path) -> pd.DataFrame:
    """One row per cell of a run folder, from its journal, or from the exported table where that is gone.

    Raises
    ------
    AttnsError
        The folder is not a run folder.
    """
    run_dir = Path(run_dir)
    exported = run_dir / "tables" / "results.parquet"
    try:
        store = read_store(run_dir)
    except AttnsError:
        if exported.is_file():
            return pd.read_parquet(exported)
        raise
    try:
        return frame(store)
    finally:
        store.close()


def read_environments(run_dir: Path) -> dict[str, dict[str, Any]]:
    """Environment id -> machine, versions, plugins, as exported; empty where there is no such file."""
    path = run_dir / "tables" / "environments.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def read_samples(run_dir: str | Path) -> dict[str, list[float]]:
    """Raw timings of a run folder: cell id -> seconds per call, in the order they were taken."""
    store = read_store(run_dir)
    try:
        return {
            row["cell_id"]: [float(v) for v in row["timing"]["values"]]
            for row in store.rows()
            if row["timing"] and "values" in row["timing"]
        }
    finally:
        store.close()


def export(store: Store) -> pd.DataFrame:
    """Write the tables of an open journal; returns the result table."""
    table = frame(store)
    write_tables(store.folder, table, store.environments())
    return table


def write_tables(run_dir: Path, table: pd.DataFrame, environments: dict[str, dict[str, Any]]) -> None:
    """Write ``tables/results.parquet``, ``results.csv`` and ``environments.json`` of a run folder."""
    folder = run_dir / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "results.parquet", lambda path: table.to_parquet(path, index=False))
    _replace(folder / "results.csv", lambda path: table.to_csv(path, index=False))
    text = json.dumps(environments, allow_nan=False, sort_keys=True, indent=1)
    _replace(folder / "environments.json", lambda path: path.write_text(text + "\n", encoding="utf-8"))


def _record(row: dict[str, Any], environments: dict[str, dict[str, Any]]) -> dict[str, Any]:
    facts = environments.get(row["environment"] or "", {})
    timing = {
        k: v for k, v in (row["timing"] or {}).items() if k not in ("values", "cpu", "warmups", "loops", "rounds")
    }
    return {
        "cell_id": row["cell_id"],
        "state": row["state"],
        "reason": row["reason"] or None,
        **Cell.from_json(row["spec"]).columns(),
        **row["columns"],
        **timing,
        "environment": row["environment"],
        "attns_version": facts.get("attns"),
        "git_commit": facts.get("git_commit"),
        "git_dirty": facts.get("git_dirty"),
        "python_version": facts.get("python"),
        "numba_version": facts.get("packages", {}).get("numba"),
        "cpu": facts.get("machine", {}).get("cpu"),
        "threads": facts.get("threads"),
    }


def _dtype(name: str, values: Any) -> str:
    if name in TEXT:
        return "string"
    if name in INTEGERS:
        return "Int64"
    if name in FLAGS:
        return "boolean"
    # A plugin's metric is a number by contract; what is not is shown as text, not lost.
    numbers = all(v is None or isinstance(v, int | float) for v in values)
    return "float64" if numbers else "string"


def _replace(path: Path, write: Any) -> None:
    scratch = path.with_name(f".{path.name}.new")
    write(scratch)
    os.replace(scratch, path)
