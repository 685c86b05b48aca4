"""Low-rank heads: features projected to a few directions, so that evaluation reaches large systems."""

from dataclasses import replace

import numpy as np

from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.fitting.heads import HeadFit, fit_heads
from attns_core.trained_corrector import Layer


def compress(corrector: Corrector, fitted: HeadFit, data: Dataset, ridges: tuple[float, ...]) -> HeadFit:
    """Reduced-rank regression: keep the feature directions that the fitted heads use most, refit the heads.

    The directions are the left singular vectors of all hidden units' coefficients, weighted by the
    spread of what they multiply; they become a last layer without activation.
    """
    trained, rank = fitted.trained, corrector.rank
    if rank is None or not trained.layers:
        return fitted
    width = trained.layers[-1].bias.size
    if not 1 <= rank <= width:
        raise AttnsError(f"rank must lie between 1 and the width {width}, got {rank}")
    blocks = []
    if trained.offset is not None:
        blocks.append(trained.offset[-width:] / data.scale)
    if trained.weights is not None and trained.values is not None:
        spread = data.dt * np.einsum("vj,jdn->vdn", trained.values, data.k).std(axis=2)
        weights = np.broadcast_to(trained.weights[-width:], (width, *spread.shape))
        blocks.append((weights * (spread / data.scale)).reshape(width, -1))
    left = np.linalg.svd(np.concatenate(blocks, axis=1), full_matrices=False)[0][:, :rank]
    projection = Layer(
        weight=np.ascontiguousarray(left.T), bias=np.zeros(left.shape[1]), activation="identity", shape=np.empty(0)
    )
    thin = replace(trained, layers=(*trained.layers, projection), offset=None, weights=None)
    return fit_heads(corrector, thin, data, ridges=ridges)
