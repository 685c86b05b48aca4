"""Divergence: which part of the ensemble was lost, and when."""

from collections.abc import Mapping

import numpy as np

from attns_core.metric import EXPLOSION_FACTOR, Metric, Outcome


def compute(outcome: Outcome) -> Mapping[str, float | None]:
    diverged = outcome.diverged
    columns: dict[str, float | None] = {
        "diverged_fraction": float(np.mean(diverged)),
        "divergence_time": None,
        "divergence_time_median": None,
    }
    if diverged.any():
        first = np.argmax(outcome.lost[:, diverged], axis=0)
        times = outcome.problem.t_save[first] - outcome.problem.t0
        columns["divergence_time"] = float(times.min())
        columns["divergence_time_median"] = float(np.median(times))
    return columns


_LOST = (
    f"lost: non-finite, or a component whose size divided by its RMS in the reference exceeds "
    f"{EXPLOSION_FACTOR:g} times the reference's largest such value"
)

DIVERGENCE = Metric(
    name="divergence",
    title="Divergence",
    columns={
        "diverged_fraction": f"share of trajectories lost within the time span ({_LOST}); 0 to 1",
        "divergence_time": "time after the start of the first saved state at which any trajectory is lost; "
        "empty where none is; units of the equation's time",
        "divergence_time_median": "median of that time over the lost trajectories; units of the equation's time",
    },
    compute=compute,
)
