"""Break-even: after how many trajectories training has paid for itself.

``(data generation + training) / (time saved per trajectory)`` in seconds over seconds, where the time
saved is that of the fastest classical solver at the learned solver's own error, minus the learned
solver's time. Where nothing is saved the number is infinite. (Break-even complexity, arXiv 2605.15399.)
"""

import math
from collections import Counter

import numpy as np

from attns_harness.analysis.crossing import fastest
from attns_harness.analysis.curve import Curve
from attns_harness.analysis.equal_error import classical_besides, of_seed
from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.intervals import mean_interval
from attns_harness.analysis.work_precision import WorkPrecisionSet

COLUMNS = (
    "problem",
    "series",
    "control",
    "error",
    "training_s",
    "saved_s",
    "trajectories",
    "low",
    "high",
    "status",
    "baseline",
    "seeds",
)


def break_even(points: WorkPrecisionSet, *, error: str = "error_l2_scaled") -> Frame:
    """Break-even of every learned series at every step, in trajectories.

    Returns
    -------
    DataFrame
        ``saved_s`` is the mean over seeds of the time saved per trajectory, ``trajectories`` the
        break-even with its 95 % interval from that of the saved time (``high`` is infinite when the
        interval of the saved time includes zero). ``status``: ``ok``; ``never`` (nothing is saved);
        ``at least`` (the classical solver's coarsest step is already more accurate, so less is saved);
        ``classical does not reach it``; ``training cost unknown``.
    """
    rows = []
    for problem in points.problems:
        curves = {name: points.curve(problem, name, error=error, cost="time") for name in points.series(problem)}
        classical = classical_besides("", curves)
        for name, curve in curves.items():
            if curve.learned:
                table = points.table[(points.table["problem"] == problem) & (points.table["series"] == name)]
                for control in sorted(set(curve.control.tolist()), reverse=True):
                    price = _training(table[table["control"] == control])
                    row = _at_control(curve, classical, control, price)
                    rows.append({"problem": problem, "series": name, "control": control, **row})
    return pd.DataFrame(rows, columns=COLUMNS)


def _training(rows: Frame) -> float:
    """Mean cost of data and training over the rows; NaN unless every row states both."""
    total = rows["train_seconds"] + rows["data_seconds"]
    return float(total.mean()) if len(total) and total.notna().all() else math.nan


def _at_control(curve: Curve, classical: dict[str, Curve], control: float, price: float) -> dict[str, object]:
    here = np.flatnonzero(curve.control == control)
    saved, names, bound = [], [], False
    for i in here:
        believed = max(float(curve.error[i]), float(curve.uncertainty[i]))
        name, base = fastest(of_seed(classical, curve.seed[i]), believed)
        if base.reached:
            saved.append(base.value - float(curve.cost[i]))
            names.append(name)
            bound |= base.status == "at most"
    row: dict[str, object] = {
        "error": float(np.exp(np.mean(np.log(np.maximum(curve.error[here], 1e-300))))),
        "training_s": price,
        "seeds": len(here),
        "baseline": Counter(names).most_common(1)[0][0] if names else "",
        "saved_s": math.nan,
        "trajectories": math.nan,
        "low": math.nan,
        "high": math.nan,
    }
    if len(saved) < len(here):
        return {**row, "status": "classical does not reach it"}
    gain = mean_interval(saved)
    row["saved_s"] = gain.value
    if math.isnan(price):
        return {**row, "status": "training cost unknown"}
    row["trajectories"] = _count(price, gain.value)
    if gain.low is not None and gain.high is not None:
        row["low"], row["high"] = _count(price, gain.high), _count(price, gain.low)
    status = "never" if gain.value <= 0 else ("at least" if bound else "ok")
    return {**row, "status": status}


def _count(price: float, saved: float) -> float:
    return price / saved if saved > 0 else math.inf
