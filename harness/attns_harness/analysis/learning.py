"""Learning curves: the error of corrected methods over the size of the training set."""

import numpy as np

from attns_harness.analysis.frames import Column, Frame, pd
from attns_harness.analysis.intervals import geometric_interval, wilson

ERROR = "rollout_mse"
"""Every trajectory counts; an exploded step counts as the square of the explosion threshold."""

STRONG = "dop853"
"""The classical method that every corrected one is read against."""

COLUMNS = (
    "problem",
    "method",
    "corrector",
    "dt",
    "train_trajectories",
    "rollout_mse",
    "low",
    "high",
    "exploded",
    "exploded_low",
    "exploded_high",
    "seeds",
)
_TINY = 1e-300


def learning_curves(table: Frame) -> Frame:
    """Error and explosion rate over training trajectories, per problem, base method and corrector.

    Training data without noise (the least noise of the run), every corrector with its own input, or, where
    the run has none, the one that most of its rows are given, at the largest step with two training sizes or
    more.

    Parameters
    ----------
    table : DataFrame
        Prepared result rows.

    Returns
    -------
    DataFrame
        ``rollout_mse`` is the geometric mean over seeds with its 95 % interval, ``exploded`` the share
        of exploded trajectories with Wilson's. Uncorrected methods (the base methods and DOP853) have
        the corrector ``none`` and no training size. Empty for a run with fewer than two sizes.
    """
    found = []
    usable = table[table[ERROR].notna() & table["dt"].notna()]
    for problem, rows in usable.groupby("problem"):
        corrected = rows["learned"] & (rows["corrector"] != "")
        own = rows[corrected]
        own = own[~_ablated(own)]
        own = own[own["noise"].fillna(0.0) == own["noise"].fillna(0.0).min()]
        sizes = own.groupby("dt")["train_trajectories"].nunique()
        if sizes.empty or sizes.max() < 2:
            continue
        dt = sizes.index[sizes >= 2].max()
        own = own[own["dt"] == dt]
        own = own.assign(curve=_curves(own))
        for (method, curve, size), cells in own.groupby(["method", "curve", "train_trajectories"]):
            found.append((problem, method, curve, dt, size, *_measures(cells)))
        bare = rows[~rows["learned"] & (rows["dt"] == dt)]
        for method, cells in bare[bare["method"].isin({*own["method"], STRONG})].groupby("method"):
            found.append((problem, method, "none", dt, np.nan, *_measures(cells)))
    return pd.DataFrame(found, columns=COLUMNS)


def _ablated(rows: Frame) -> Column:
    """Rows whose corrector reads another input than the run's main one for it.

    The main input is the corrector's own; where the run has no such rows, the one that most rows are given.
    """
    given = rows["solver"].str.extract(r"input=([^,\]]+)", expand=False).fillna("")
    main = given.groupby(rows["corrector"]).transform(_main_input)
    return given != main


def _main_input(given: Column) -> str | None:
    if (given == "").any():
        return ""
    most = given.mode()
    return most.iloc[0] if len(most) == 1 else None


def _measures(cells: Frame) -> tuple[object, ...]:
    error = geometric_interval(list(np.maximum(cells[ERROR].to_numpy(dtype=float), _TINY)))
    known = cells[cells["diverged_fraction"].notna()]
    n = known["n_trajectories"].fillna(1.0)
    rate = wilson(float((known["diverged_fraction"] * n).sum()), int(n.sum()))
    return error.value, error.low, error.high, rate.value, rate.low, rate.high, error.n


def _curves(rows: Frame) -> Column:
    """Name of the corrector: its options only where two of one name differ, what else varies behind it."""
    options = [s.removeprefix(f"{m}+") for s, m in zip(rows["solver"], rows["method"], strict=True)]
    names = pd.Series(options, index=rows.index)
    several = names.groupby(rows["corrector"]).transform("nunique") > 1
    names = names.where(several, rows["corrector"])
    for axis in ("recipe", "backend", "dtype"):
        varies = rows[axis].groupby(names).transform("nunique") > 1
        names = names.where(~varies, names + ", " + rows[axis])
    return names
