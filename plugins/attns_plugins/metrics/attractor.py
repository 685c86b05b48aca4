r"""How well long chaotic trajectories fill the attractor: Kullback-Leibler divergence of histograms.

``sum_b P_b log(P_b / Q_b)`` with ``P`` the histogram of the reference's states and ``Q`` that of the
solution's (all saved times after the first, all surviving trajectories), 30 bins per component over
the box of the reference, additive smoothing 1e-5, and one more bin for all states outside the box, so
that leaving the attractor costs. For chaotic systems of up to four components with at least 1000
states; sampling noise leaves a value above zero even for a perfect solver.
"""

from collections.abc import Mapping

import numpy as np

from attns_core.citation import Citation
from attns_core.metric import Metric, Outcome
from attns_core.types import Array

BINS = 30
SMOOTHING = 1e-5
LARGEST_DIMENSION = 4
FEWEST_STATES = 1000


def _histogram(states: Array, low: Array, high: Array) -> Array:
    """Smoothed frequencies of states ``(N, dim)``; the last entry counts those outside the box."""
    dim = states.shape[1]
    inside = ((states >= low) & (states <= high)).all(axis=1)
    cells = np.minimum(((states[inside] - low) / (high - low) * BINS).astype(np.int64), BINS - 1)
    flat = np.ravel_multi_index(tuple(cells.T), (BINS,) * dim)
    counts = np.append(np.bincount(flat, minlength=BINS**dim), np.count_nonzero(~inside))
    smoothed = counts + SMOOTHING
    return smoothed / smoothed.sum()


def compute(outcome: Outcome) -> Mapping[str, float | None]:
    equation = outcome.problem.equation
    lanes = np.flatnonzero(~outcome.diverged)
    trusted = np.moveaxis(outcome.reference.u[1:], 1, 2).reshape(-1, equation.dim)
    found = np.moveaxis(outcome.solution.u[1:, :, lanes], 1, 2).reshape(-1, equation.dim).astype(np.float64)
    few = min(len(found), len(trusted)) < FEWEST_STATES
    if few or equation.lyapunov is None or equation.dim > LARGEST_DIMENSION:
        return {"histogram_divergence": None}
    low, high = trusted.min(axis=0), trusted.max(axis=0)
    if not (high > low).all():
        return {"histogram_divergence": None}
    p, q = _histogram(trusted, low, high), _histogram(found, low, high)
    return {"histogram_divergence": float(np.sum(p * np.log(p / q)))}


HISTOGRAM_DIVERGENCE = Metric(
    name="histogram-divergence",
    title="Divergence of state histograms",
    columns={
        "histogram_divergence": f"Kullback-Leibler divergence of the solution's state histogram from the "
        f"reference's: {BINS} bins per component over the reference's box, one bin outside, smoothing {SMOOTHING:g}; "
        f"chaotic systems of dimension up to {LARGEST_DIMENSION}; nats"
    },
    compute=compute,
    citation=Citation(
        key="koppe2019identifying",
        authors="G. Koppe and H. Toutounji and P. Kirsch and S. Lis and D. Durstewitz",
        title="Identifying nonlinear dynamical systems via generative recurrent neural networks with applications "
        "to fMRI",
        where="PLOS Computational Biology 15, e1007263",
        year=2019,
        doi="10.1371/journal.pcbi.1007263",
    ),
)
