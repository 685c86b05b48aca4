"""Example metric: a metric for AttNS, one or more columns of every result table."""

from collections.abc import Mapping

import numpy as np

from attns_core import hookimpl
from attns_core.metric import Metric, Outcome


def compute(outcome: Outcome) -> Mapping[str, float | None]:
    # The example: the largest error at any time, over trajectories that did not diverge.
    error = np.abs(outcome.error[:, :, ~outcome.diverged])
    return {"example_metric": float(error.max()) if error.size else None}


EXAMPLE_METRIC = Metric(
    name="example-metric",
    title="Example metric",
    columns={"example_metric": "largest absolute error of any component at any time; no unit"},
    compute=compute,
)


@hookimpl
def attns_metrics() -> tuple[Metric, ...]:
    return (EXAMPLE_METRIC,)
