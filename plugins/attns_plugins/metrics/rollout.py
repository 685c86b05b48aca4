"""Mean squared error of the rollout, explosions included: the measure of the NeurVec and AttNS papers."""

from collections.abc import Mapping

import numpy as np

from attns_core.citation import Citation
from attns_core.metric import EXPLOSION_FACTOR, Metric, Outcome
from attns_core.types import Array


def compute(outcome: Outcome) -> Mapping[str, float | None]:
    valid, lost = outcome.valid, outcome.lost[1:]
    # An exploded step counts the same whatever garbage it holds, so that the mean stays finite.
    penalty = (EXPLOSION_FACTOR * float(np.max(np.abs(outcome.reference.u)))) ** 2
    with np.errstate(all="ignore"):
        squared = np.where(lost, penalty, np.mean(outcome.error**2, axis=1))
    lanes = valid.any(axis=0)
    if not lanes.any():
        return {"rollout_mse": None, "rollout_mse_median": None, "error_p99": None, "error_p99_scaled": None}

    def per_trajectory(values: Array) -> Array:
        return np.sum(np.where(valid, values, 0.0), axis=0)[lanes] / valid.sum(axis=0)[lanes]

    each = per_trajectory(squared)
    scale = outcome.scale[:, None]
    largest = (EXPLOSION_FACTOR * float(np.max(np.abs(outcome.reference.u / scale)))) ** 2
    with np.errstate(all="ignore"):
        scaled = np.where(lost, largest, np.mean((outcome.error / scale) ** 2, axis=1))
    return {
        "rollout_mse": float(np.mean(each)),
        "rollout_mse_median": float(np.median(each)),
        "error_p99": float(np.sqrt(np.percentile(each, 99))),
        "error_p99_scaled": float(np.sqrt(np.percentile(per_trajectory(scaled), 99))),
    }


_EXPLODED = "an exploded step counts as the square of 10 times the reference's largest |component|"

ROLLOUT = Metric(
    name="rollout",
    title="Rollout error over all trajectories",
    columns={
        "rollout_mse": f"mean over all trajectories of the squared error, averaged over valid saved times and "
        f"components; {_EXPLODED}; units of the state, squared",
        "rollout_mse_median": f"median over all trajectories of the same; {_EXPLODED}; units of the state, squared",
        "error_p99": f"99th percentile over all trajectories of the root mean square error; {_EXPLODED}; "
        "units of the state",
        "error_p99_scaled": "the same with each component's error divided by that component's RMS in the reference "
        "first; dimensionless",
    },
    compute=compute,
    citation=Citation(
        key="huang2023neurvec",
        authors="Z. Huang and S. Liang and H. Zhang and H. Yang and L. Lin",
        title="On fast simulation of dynamical system with neural vector enhanced numerical solver",
        where="Scientific Reports 13, 15254",
        year=2023,
        doi="10.1038/s41598-023-42194-y",
    ),
)
