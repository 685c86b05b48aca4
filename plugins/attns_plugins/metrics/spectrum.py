r"""Agreement of power spectra of chaotic series: mean Hellinger distance over components.

Per component: the power spectrum of the series without its mean, averaged over trajectories, smoothed
by a Gaussian of one bin, without the constant term, normalised to sum 1; then
``H = sqrt(1 - sum sqrt(P Q))``. Uses the surviving trajectories; needs 64 equally spaced saved times.
"""

from collections.abc import Mapping

import numpy as np

from attns_core.citation import Citation
from attns_core.metric import Metric, Outcome
from attns_core.types import Array

SMOOTHING_BINS = 1.0
FEWEST_TIMES = 64


def _spectrum(u: Array) -> Array:
    """States ``(times, dim, n)`` -> normalised smoothed spectra ``(frequencies, dim)``."""
    from scipy.ndimage import gaussian_filter1d

    centred = u - u.mean(axis=0, keepdims=True)
    power = np.mean(np.abs(np.fft.rfft(centred, axis=0)) ** 2, axis=2)
    smooth = gaussian_filter1d(power, SMOOTHING_BINS, axis=0)[1:]
    total = smooth.sum(axis=0)
    return smooth / np.where(total > 0, total, 1.0)


def compute(outcome: Outcome) -> Mapping[str, float | None]:
    lanes = np.flatnonzero(~outcome.diverged)
    gaps = np.diff(outcome.problem.t_save)
    if (
        outcome.problem.equation.lyapunov is None
        or lanes.size == 0
        or len(gaps) + 1 < FEWEST_TIMES
        or np.ptp(gaps) > 1e-6 * gaps.mean()
    ):
        return {"spectral_hellinger": None}
    p = _spectrum(outcome.reference.u)
    q = _spectrum(outcome.solution.u[:, :, lanes].astype(np.float64))
    overlap = np.minimum(np.sum(np.sqrt(p * q), axis=0), 1.0)
    return {"spectral_hellinger": float(np.mean(np.sqrt(1.0 - overlap)))}


SPECTRAL_HELLINGER = Metric(
    name="spectral-hellinger",
    title="Distance of power spectra",
    columns={
        "spectral_hellinger": f"mean over components of the Hellinger distance of normalised power spectra "
        f"(averaged over trajectories, Gaussian smoothing of {SMOOTHING_BINS:g} bin, constant term dropped); "
        "chaotic systems with at least 64 equally spaced saved times; 0 to 1"
    },
    compute=compute,
    citation=Citation(
        key="mikhaeil2022difficulty",
        authors="J. M. Mikhaeil and Z. Monfared and D. Durstewitz",
        title="On the difficulty of learning chaotic dynamics with RNNs",
        where="Advances in Neural Information Processing Systems 35",
        year=2022,
    ),
)
