r"""Valid prediction time of a chaotic system, in Lyapunov times.

The first saved time at which ``sqrt(mean_i (e_i / sigma_i)**2)`` exceeds the threshold 0.5, with
``sigma_i`` the standard deviation of component ``i`` in the reference over times and trajectories,
minus the saving interval before it (so: the last saved time at which the prediction was valid),
multiplied by the largest Lyapunov exponent. A non-finite or exploded state exceeds it. A trajectory
that never exceeds it within the reference's valid time is censored there: its true value is at least
that. The ensemble's value is the median, which censoring leaves correct while fewer than half are
censored; above that it is a lower bound, and ``valid_prediction_censored`` says so.
"""

from collections.abc import Mapping

import numpy as np

from attns_core.citation import Citation
from attns_core.metric import Metric, Outcome

THRESHOLD = 0.5


def compute(outcome: Outcome) -> Mapping[str, float | None]:
    exponent = outcome.problem.equation.lyapunov
    names = ("valid_prediction_time", "valid_prediction_censored", "valid_prediction_threshold")
    if exponent is None or exponent <= 0 or not outcome.valid.any():
        return dict.fromkeys(names)
    sigma = np.std(outcome.reference.u, axis=(0, 2))
    sigma = np.where(sigma > 0, sigma, outcome.scale)
    with np.errstate(all="ignore"):
        distance = np.sqrt(np.mean((outcome.error / sigma[:, None]) ** 2, axis=1))
    exceeded = (~(distance <= THRESHOLD) | outcome.lost[1:]) & outcome.valid
    hit = exceeded.any(axis=0)
    # Index i of `exceeded` is saved time i + 1, so the last valid saved time has index i.
    last = np.where(hit, np.argmax(exceeded, axis=0), outcome.valid.sum(axis=0))
    times = outcome.reference.t[last] - outcome.reference.t[0]
    return {
        "valid_prediction_time": float(np.median(times)) * exponent,
        "valid_prediction_censored": float(np.mean(~hit)),
        "valid_prediction_threshold": THRESHOLD,
    }


VALID_PREDICTION_TIME = Metric(
    name="valid-prediction-time",
    title="Valid prediction time",
    columns={
        "valid_prediction_time": "median over trajectories of the last saved time before the root mean square over "
        "components of error / standard deviation of the reference exceeds valid_prediction_threshold; censored at "
        "the reference's valid time; Lyapunov times",
        "valid_prediction_censored": "share of trajectories that never exceeded the threshold within the reference's "
        "valid time; from 0.5 on the median is a lower bound; 0 to 1",
        "valid_prediction_threshold": "threshold of the valid prediction time; dimensionless",
    },
    compute=compute,
    citation=Citation(
        key="vlachas2020backprop",
        authors="P. R. Vlachas and J. Pathak and B. R. Hunt and T. P. Sapsis and M. Girvan and E. Ott and "
        "P. Koumoutsakos",
        title="Backpropagation algorithms and Reservoir Computing in recurrent neural networks for the forecasting "
        "of complex spatiotemporal dynamics",
        where="Neural Networks 126, 191-217",
        year=2020,
        doi="10.1016/j.neunet.2020.02.016",
    ),
)
