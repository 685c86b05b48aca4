r"""Error norms against the reference, each absolute, relative and component-scaled.

With ``e`` the error at the saved times after the initial one that lie within the reference's valid
time, over the trajectories that did not diverge:

* final: mean over components and trajectories of ``|e|`` at each trajectory's last valid time;
* l2: root of the mean of ``e**2`` over times, components and trajectories;
* linf: the largest ``|e|``.

These are the definitions of DiffEqDevTools (``final``, ``l2``, ``l_inf``), extended to an ensemble by
taking the mean, the mean square and the maximum over its trajectories too. *Relative* divides by the
same norm of the reference over the same entries; *scaled* divides every component's error by that
component's RMS in the reference first. An ensemble that diverged in part reports the errors of its
survivors: read them with ``diverged_fraction``; where all diverged there is no error to report.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attns_core.citation import Citation
from attns_core.metric import Metric, Outcome
from attns_core.types import Array

_NORMS = {
    "final": "mean |error| over components and surviving trajectories at the last valid saved time",
    "l2": "root mean square error over valid saved times, components and surviving trajectories",
    "linf": "largest |error| over valid saved times, components and surviving trajectories",
}
_KINDS = {
    "": "units of the state",
    "_rel": "divided by the same norm of the reference; dimensionless",
    "_scaled": "each component's error divided by that component's RMS in the reference first; dimensionless",
}


def _norms(values: Array, counted: Any, last: Any) -> dict[str, float]:
    """``values`` (times, dim, n); ``counted`` (times, n) bool; ``last`` (n,) index of the last valid time."""
    lanes = np.flatnonzero(counted.any(axis=0))
    entries = np.moveaxis(values, 1, 2)[counted]
    return {
        "final": float(np.mean(np.abs(values[last[lanes], :, lanes]))),
        "l2": float(np.sqrt(np.mean(entries**2))),
        "linf": float(np.max(np.abs(entries))),
    }


def compute(outcome: Outcome) -> Mapping[str, float | None]:
    counted = outcome.valid & ~outcome.diverged
    columns: dict[str, float | None] = {f"error_{norm}{kind}": None for kind in _KINDS for norm in _NORMS}
    if not counted.any():
        return columns
    last = counted.sum(axis=0) - 1
    scale = outcome.scale[:, None]
    absolute = _norms(outcome.error, counted, last)
    scaled = _norms(outcome.error / scale, counted, last)
    size = _norms(outcome.reference.u[1:], counted, last)
    for norm in _NORMS:
        columns[f"error_{norm}"] = absolute[norm]
        columns[f"error_{norm}_scaled"] = scaled[norm]
        columns[f"error_{norm}_rel"] = absolute[norm] / size[norm] if size[norm] > 0 else None
    return columns


ERRORS = Metric(
    name="errors",
    title="Error norms",
    columns={f"error_{n}{k}": f"{what}; {unit}" for k, unit in _KINDS.items() for n, what in _NORMS.items()},
    compute=compute,
    citation=Citation(
        key="diffeqdevtools",
        authors="C. Rackauckas and Q. Nie",
        title="DifferentialEquations.jl: a performant and feature-rich ecosystem for solving differential equations",
        where="Journal of Open Research Software 5, 15",
        year=2017,
        doi="10.5334/jors.151",
    ),
)
