"""The result table as analyses read it: typed, complete in its columns, with named problems and series.

A *problem* is an equation with its parameters over one time span, a *series* is everything of a row but its step and
seed: what becomes one curve of a work-precision diagram.
"""

from pathlib import Path
from typing import Any

import numpy as np

from attns_harness.analysis.frames import Column, Frame, pd
from attns_harness.tables import LEADING

TEXT = (
    "cell_id",
    "state",
    "reason",
    "equation",
    "solver",
    "method",
    "corrector",
    "backend",
    "dtype",
    "input",
    "recipe",
    "params",
)
NUMBERS = (
    *(name for name in LEADING if name not in TEXT),
    "error_final_scaled",
    "error_l2_scaled",
    "error_linf_scaled",
    "error_p99",
    "error_p99_scaled",
    "timed_trajectories",
    "rollout_mse",
    "valid_prediction_time",
)
AXES = ("corrector", "backend", "dtype", "train_trajectories", "noise", "recipe", "width", "input")
"""What may distinguish two series of one solver, in the order in which it is tried."""

_UNITS = {"train_trajectories": "{:g} traj.", "noise": "noise {:g}", "width": "width {:g}", "input": "input {}"}


def load_table(run_dir: Path, registry: Any = None) -> Frame:
    """The table of a run, prepared by :func:`prepare`.

    Raises
    ------
    AttnsError
        If the folder holds no run.
    """
    from attns_harness.tables import read_results

    return prepare(read_results(run_dir), registry)


def prepare(table: Frame, registry: Any = None) -> Frame:
    """A copy with every column that analyses use, and the derived ones.

    Adds ``problem``, ``series``, ``learned``, ``third_party`` (a black box), ``adaptive``, ``control``
    (``dt``, ``rtol`` or ``steps_per_save``), ``ok`` and ``time_per_trajectory_s`` (seconds, the minimum over
    repeats divided by the number of timed trajectories; rows that differ in the seed alone share it where
    not all are timed).
    Infinite numbers become missing: a measure is finite or absent. A black box is learned where the
    registry has it with the tag ``learned``.
    """
    table = table.copy().reset_index(drop=True)
    for name in TEXT:
        values = table[name] if name in table else pd.Series("", index=table.index, dtype=object)
        table[name] = values.astype(object).where(values.notna(), "").map(str)
    for name in NUMBERS:
        values = table[name] if name in table else pd.Series(np.nan, index=table.index)
        numbers = pd.to_numeric(values, errors="coerce").astype(float)
        table[name] = numbers.where(np.isfinite(numbers))
    table["problem"] = _problems(table)
    # A black box that learned has no corrector; what it learned from is stated all the same.
    corrected = (table["corrector"] != "") & (table["corrector"] != "none")
    table["learned"] = corrected | table["train_trajectories"].notna()
    table["third_party"] = table["method"] == ""
    if registry is not None:
        known = set(registry.names("solver"))
        taught = {s for s in set(table["solver"]) & known if "learned" in registry.get("solver", s).tags}
        table["learned"] |= table["third_party"] & table["solver"].isin(taught)
    table["adaptive"] = table["rtol"].notna() & table["dt"].isna()
    table["control"] = table["dt"].fillna(table["rtol"]).fillna(table["steps_per_save"])
    table["ok"] = table["state"] == "ok"
    ensemble = table["timed_trajectories"].fillna(table["n_trajectories"]).fillna(1.0)
    table["time_per_trajectory_s"] = table["time_min_s"] / ensemble
    table["series"] = _series(table)
    table["time_per_trajectory_s"] = _shared_times(table)
    return table


def timed_on(rows: Frame) -> list[str]:
    """The kinds of processors that rows were timed on; of one problem one kind, or its ratios mean nothing."""
    return sorted(set(rows.loc[rows["time_min_s"].notna(), "cpu"].dropna().map(str))) if "cpu" in rows else []


def _shared_times(table: Frame) -> Column:
    """Times per trajectory, a missing one taken from the cells that differ in the seed alone.

    A cell whose own timing failed stays without.
    """
    times = table["time_per_trajectory_s"]
    same = ["problem", "series", "control", "adaptive", "n_trajectories", "save_every"]
    keys = [table[c] for c in same if c in table]
    shared = times.groupby(keys, dropna=False).transform("min")
    tried = table["timing_reason"].notna() if "timing_reason" in table else False
    return times.where(times.notna() | tried, shared)


def _problems(table: Frame) -> Column:
    """Equation with its overridden parameters, and its time span where one equation has several."""
    name = table["equation"].where(table["params"] == "", table["equation"] + "[" + table["params"] + "]")
    several = name.map(table.groupby(name)["t_end"].nunique()).fillna(0) > 1
    spanned = name + table["t_end"].map(lambda t: f", T={t:g}" if np.isfinite(t) else "")
    return name.where(~several, spanned)


def _series(table: Frame) -> Column:
    """Solver, with the axes that it takes to tell its curves apart."""
    label = table["solver"].copy()
    for _, rows in table.groupby("solver", sort=False):
        fixed = ["problem", "dt", "rtol", "steps_per_save", "seed", "n_trajectories"]
        for axis in AXES:
            keys = rows.groupby(fixed, dropna=False, sort=False)
            if keys.ngroups == len(rows):
                break
            if (keys[axis].nunique(dropna=False) > 1).any():
                fixed.append(axis)
                label[rows.index] = label[rows.index] + rows[axis].map(lambda v, a=axis: _suffix(a, v))
    return label


def _suffix(axis: str, value: Any) -> str:
    missing = value == "" or (isinstance(value, float) and not np.isfinite(value))
    return "" if missing else f", {_UNITS.get(axis, '{}').format(value)}"
