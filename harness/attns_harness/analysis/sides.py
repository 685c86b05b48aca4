"""A run folder as one side of a judgement: raw timings, errors and divergence under comparable keys.

Keys are made of coordinates, never of cell ids: two versions of the code answer the same question
under different ids.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from attns_core.errors import AttnsError
from attns_harness.analysis.frames import Frame
from attns_harness.analysis.judge import Measured, Side
from attns_harness.analysis.table import load_table
from attns_harness.analysis.trial import BenchmarkGroup, Key, Trial
from attns_harness.provenance import unlike
from attns_harness.store import read_store


def read_side(run_dir: Path, *, error: str = "error_l2_scaled") -> tuple[Side, dict[Key, str]]:
    """The run as a side, and the cell behind every timing key.

    Raises
    ------
    AttnsError
        If the folder holds no run.
    """
    table = load_table(run_dir)
    cells = {(*_key(row), f"seed {row.seed:g}"): row.cell_id for row in table.itertuples()}
    side = side_of(table, _timings(run_dir), error=error)
    return replace(side, machines=_machines(run_dir)), cells


def refuse_unlike(new: Side, old: Side) -> None:
    """Times of unlike machines say nothing about the code.

    Raises
    ------
    AttnsError
        Naming what differs.
    """
    for a in old.machines:
        for b in new.machines:
            differences = unlike(a, b)
            if differences:
                raise AttnsError(
                    f"the runs were timed on unlike machines ({'; '.join(differences)}): their times are no "
                    "comparison. Time both on one machine, or force it with --unlike-machines"
                )


def side_of(table: Frame, timed: Mapping[str, Trial], *, error: str = "error_l2_scaled") -> Side:
    """A side from prepared rows and timings by cell id."""
    trials: dict[Key, Trial] = {}
    for row in table.itertuples():
        if row.cell_id in timed:
            trials[(*_key(row), f"seed {row.seed:g}")] = timed[row.cell_id]
    measured: dict[Key, Measured] = {}
    keys = [_key(row) for row in table.itertuples()]
    for key in sorted(set(keys)):
        rows = table[[k == key for k in keys]]
        ok = rows[rows["ok"] & rows[error].notna()]
        solved = rows[rows["state"].isin(("ok", "diverged"))]
        n = solved["n_trajectories"].fillna(1)
        failed = rows.loc[~rows["state"].isin(("ok", "diverged")), "state"]
        measured[key] = Measured(
            errors=dict(zip(ok["seed"].fillna(0.0).tolist(), ok[error].tolist(), strict=True)),
            uncertainty=float(ok["reference_uncertainty"].max()) if ok["reference_uncertainty"].notna().any() else 0.0,
            diverged=round(float((solved["diverged_fraction"].fillna(0.0) * n).sum())),
            trajectories=int(n.sum()),
            state=str(failed.iloc[0]) if len(failed) else "ok",
        )
    return Side(BenchmarkGroup(trials), measured)


def _key(row: object) -> Key:
    """Coordinates that say what was asked, apart from the seed."""
    control = f"{'rtol' if row.adaptive else 'dt'}={row.control:g}"  # type: ignore[attr-defined]
    parts = [row.problem, row.solver, row.backend, row.dtype, row.recipe, control]  # type: ignore[attr-defined]
    for name, text in (("train_trajectories", "{:g} traj."), ("noise", "noise {:g}"), ("n_trajectories", "n={:g}")):
        value = getattr(row, name)
        if np.isfinite(value):
            parts.append(text.format(value))
    return tuple(p for p in parts if p)


def _timings(run_dir: Path) -> dict[str, Trial]:
    store = read_store(run_dir)
    try:
        return {row["cell_id"]: Trial.of(row["timing"]) for row in store.rows() if (row["timing"] or {}).get("values")}
    finally:
        store.close()


def _machines(run_dir: Path) -> list[dict[str, Any]]:
    store = read_store(run_dir)
    try:
        return store.timed_on()
    finally:
        store.close()
