"""Metrics: one file each, plus one line here."""

from attns_core import hookimpl
from attns_core.metric import Metric
from attns_plugins.metrics.attractor import HISTOGRAM_DIVERGENCE
from attns_plugins.metrics.divergence import DIVERGENCE
from attns_plugins.metrics.errors import ERRORS
from attns_plugins.metrics.invariant_drift import INVARIANT_DRIFT
from attns_plugins.metrics.rollout import ROLLOUT
from attns_plugins.metrics.spectrum import SPECTRAL_HELLINGER
from attns_plugins.metrics.valid_prediction_time import VALID_PREDICTION_TIME

METRICS: tuple[Metric, ...] = (
    ERRORS,
    ROLLOUT,
    DIVERGENCE,
    INVARIANT_DRIFT,
    VALID_PREDICTION_TIME,
    HISTOGRAM_DIVERGENCE,
    SPECTRAL_HELLINGER,
)


@hookimpl
def attns_metrics() -> tuple[Metric, ...]:
    return METRICS
