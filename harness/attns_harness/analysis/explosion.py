"""Explosion rates over the step and over the noise in the training data, with Wilson intervals."""

from typing import Literal

from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.intervals import wilson

COLUMNS = ["problem", "series", "control", "rate", "low", "high", "trajectories", "cells", "failed"]


def explosion_rates(table: Frame, over: Literal["control", "noise", "train_trajectories"] = "control") -> Frame:
    """Share of diverged trajectories of every series, all seeds together.

    Parameters
    ----------
    table : DataFrame
        Prepared result rows.
    over : {"control", "noise", "train_trajectories"}
        What the curve runs over: step (or tolerance), noise, or size of the training set.

    Returns
    -------
    DataFrame
        ``trajectories`` counts those behind the rate; ``failed`` the cells that ended without a
        solution (crash, timeout, ...), which are not in it.
    """
    if over != "control":
        # What the curve runs over is part of a series' name where it varies: here the curve is the solver at one step.
        names = [f"{row.solver}, {'rtol' if row.adaptive else 'dt'}={row.control:g}" for row in table.itertuples()]
        table = table.assign(series=names)
    rows = []
    finished = table["state"].isin(("ok", "diverged")) & table["diverged_fraction"].notna()
    n = table["n_trajectories"].fillna(1).where(finished, 0.0)
    counted = pd.DataFrame({
        "lost": (table["diverged_fraction"] * n).where(finished, 0.0), "n": n, "solved": finished, "cells": 1,
    })  # fmt: skip
    sums = counted.groupby([table["problem"], table["series"], table[over]]).sum()
    for (problem, name, value), lost, among, solved, cells in sums.itertuples():
        rate = wilson(float(lost), int(among))
        rows.append({
            "problem": problem, "series": name, over: value, "rate": rate.value, "low": rate.low, "high": rate.high,
            "trajectories": rate.n, "cells": int(cells), "failed": int(cells - solved),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=[over if c == "control" else c for c in COLUMNS])
