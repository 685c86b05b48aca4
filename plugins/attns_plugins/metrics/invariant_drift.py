"""Drift of the quantities that the exact flow conserves."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attns_core.citation import Citation
from attns_core.metric import Metric, Outcome
from attns_core.types import Array

_ROUND_OFF_OF_ZERO = 1e-9
"""An invariant whose initial values have a smaller RMS counts as zero: it has no relative drift."""


def _values(outcome: Outcome, lanes: Any) -> dict[str, Array]:
    """Invariant -> values over saved times and surviving trajectories, shape ``(n_save, lanes)``."""
    u = np.moveaxis(outcome.solution.u[:, :, lanes].astype(np.float64), 1, 0)
    t = outcome.solution.t[:, None]
    equation = outcome.problem.equation
    return {k: np.asarray(v, dtype=np.float64) for k, v in equation.invariant_values(t, u).items()}


def compute(outcome: Outcome) -> Mapping[str, float | None]:
    columns: dict[str, float | None] = dict.fromkeys(
        ("invariant_drift", "invariant_drift_final", "invariant_drift_absolute")
    )
    lanes = np.flatnonzero(~outcome.diverged)
    if not outcome.problem.equation.invariants or lanes.size == 0:
        return columns
    largest: dict[str, list[float]] = {key: [] for key in columns}
    with np.errstate(all="ignore"):
        for values in _values(outcome, lanes).values():
            drift = np.abs(values - values[0])
            if not np.isfinite(drift).all():
                continue
            largest["invariant_drift_absolute"].append(float(drift.max()))
            size = float(np.sqrt(np.mean(values[0] ** 2)))
            if size > _ROUND_OFF_OF_ZERO:
                largest["invariant_drift"].append(float(np.sqrt(np.mean(drift.max(axis=0) ** 2))) / size)
                largest["invariant_drift_final"].append(float(np.sqrt(np.mean(drift[-1] ** 2))) / size)
    return {key: max(values) if values else None for key, values in largest.items()}


_SIZE = "relative to the RMS of its initial values; the worst of the equation's invariants; dimensionless"

INVARIANT_DRIFT = Metric(
    name="invariant-drift",
    title="Drift of invariants",
    columns={
        "invariant_drift": f"RMS over surviving trajectories of the largest |I(t) - I(0)| over the time span, {_SIZE}",
        "invariant_drift_final": f"RMS over surviving trajectories of |I(T) - I(0)| at the end, {_SIZE}",
        "invariant_drift_absolute": "largest |I(t) - I(0)| of any invariant and surviving trajectory; "
        "units of the invariant",
    },
    compute=compute,
    citation=Citation(
        key="hairer2006geometric",
        authors="E. Hairer and C. Lubich and G. Wanner",
        title="Geometric Numerical Integration",
        where="Springer, 2nd edition",
        year=2006,
        doi="10.1007/3-540-30666-8",
    ),
)
