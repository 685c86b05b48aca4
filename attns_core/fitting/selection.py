"""What recipes choose from, and the pairs they choose on."""

from dataclasses import replace

import numpy as np

from attns_core.corrector import Corrector
from attns_core.dataset import Dataset


def candidate_inputs(corrector: Corrector, data: Dataset) -> tuple[str, ...]:
    """The inputs to try: the corrector's own, or for ``auto`` its candidates that the method can offer."""
    if corrector.input != "auto":
        return (corrector.input,)
    if len(data.k):
        return corrector.candidates
    return tuple(name for name in corrector.candidates if name in ("u", "S", "uS")) or ("u",)


def thinned(data: Dataset, most: int, seed: int) -> Dataset:
    """At most ``most`` pairs, drawn without replacement from training and held-out pairs alike."""
    if data.n <= most:
        return data
    order = np.random.default_rng([seed, 11]).permutation(data.n)
    return data.take(np.sort(order[:most]))


def some_components(data: Dataset, most: int) -> Dataset:
    """The dataset with at most ``most`` residual components, evenly spaced, the others left uncorrected.

    Only for comparing features: every component brings its own design, and a few of them decide.
    """
    if data.dim <= most:
        return data
    kept = np.unique(np.linspace(0, data.dim - 1, most).astype(int))
    return replace(data, r=np.where(np.isin(np.arange(data.dim), kept)[:, None], data.r, 0.0))
