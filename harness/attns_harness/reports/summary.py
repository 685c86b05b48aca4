"""The summary table of a problem: one row per series, at its finest step."""

from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.intervals import geometric_interval


def states(table: Frame) -> dict[str, int]:
    """State -> number of cells, the good ones first."""
    counts = table["state"].value_counts()
    order = ("ok", "diverged", "skipped", "error", "timeout", "crashed", "oom", "interrupted", "stale", "not_run")
    known = {name: int(counts[name]) for name in order if name in counts}
    return {**known, **{str(k): int(v) for k, v in counts.items() if k not in known}}


def summary(rows: Frame, error: str) -> Frame:
    """Best error, its step and cost, and what failed, of every series of one problem.

    Errors are geometric means over seeds, of the step or tolerance with the smallest one.
    """
    import numpy as np

    found = []
    for name, group in rows.groupby("series"):
        usable = group[group["ok"] & group[error].notna()]
        entry: dict[str, object] = {"solver": name, "cells": len(group), "not ok": int((~group["ok"]).sum())}
        entry |= {"diverged": group["diverged_fraction"].mean(), "best error": None}
        entry |= {"low": None, "high": None, "at": ""}
        entry |= {"rhs evaluations": None, "operations": None, "time per trajectory (s)": None}
        if len(usable):
            with np.errstate(divide="ignore"):
                logs = usable.assign(_log=np.log(usable[error]))
            mean = logs.groupby("control")["_log"].mean()
            best = usable[usable["control"] == mean.idxmin()] if mean.notna().any() else usable
            kind = "rtol" if best["adaptive"].any() else "dt"
            interval = geometric_interval(best.loc[best[error] > 0, error].tolist() or [float("nan")])
            entry |= {"best error": float(np.exp(mean.min())), "low": interval.low, "high": interval.high}
            entry |= {"at": f"{kind}={best['control'].iloc[0]:g}"}
            entry |= {
                "rhs evaluations": best["nfe"].mean(),
                "operations": best["operations"].mean(),
                "time per trajectory (s)": best["time_per_trajectory_s"].median(),
            }
        found.append(entry)
    found.sort(key=lambda e: (e["best error"] is None, e["best error"] or 0.0, str(e["solver"])))
    table = pd.DataFrame(found)
    numeric = ("diverged", "best error", "low", "high", "rhs evaluations", "operations", "time per trajectory (s)")
    for column in numeric:
        if column in table:
            table[column] = pd.to_numeric(table[column])
    return table


def failures(table: Frame) -> Frame:
    """Cells that are not ``ok``, those of equal problem, series, step, state and reason together."""
    lost = table[~table["ok"]]
    columns = ["problem", "series", "control", "state", "reason"]
    grouped = lost.groupby(columns, dropna=False, sort=True).size().reset_index(name="cells")
    return grouped[[*columns[:4], "cells", "reason"]]
