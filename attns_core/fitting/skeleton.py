"""Skeletons: a trained corrector whose features are set and whose heads are still to be fitted."""

import math
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from attns_core.correction import input_size, stage_weights
from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Rosenbrock
from attns_core.trained_corrector import Layer, TrainedCorrector
from attns_core.types import Array

RATIONAL = (1.1915, 1.5957, 0.5, 0.0218, 2.383, 0.0, 1.0)
"""NeurVec's start for ``(a0 + a1 z + a2 z^2 + a3 z^3) / (b0 + b1 z + b2 z^2)``."""

FSNET = (-0.1, 2.5, 1e-4, 1e-3, 0.1)
"""FSNet's start for ``a1 s (1 - s) + a4 sin(200 a5 z)``, ``s = sigmoid(a2 (z + a3))``."""

_MOST_MONOMIALS = 6000
_MOST_VALUES = 6


def standardisation(x: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of inputs ``(n_in, N)``; constant inputs keep the scale 1."""
    mean, scale = x.mean(axis=1), x.std(axis=1)
    level = np.maximum(np.abs(mean), scale.max(initial=0.0))
    return mean, np.where(scale > 1e-13 * level, scale, 1.0)


def monomials(n_in: int, degree: int) -> Any:
    """Exponents of all monomials of total degree 2 to ``degree``, shape (n_monomials, n_in), or None.

    Raises
    ------
    AttnsError
        If there are more than 6000.
    """
    count = math.comb(n_in + degree, degree) - n_in - 1
    if count == 0:
        return None
    if count > _MOST_MONOMIALS:
        raise AttnsError(
            f"degree {degree} in {n_in} inputs has {count} monomials, more than {_MOST_MONOMIALS}; "
            "use a lower degree or a smaller input"
        )
    rows = []
    for total in range(2, degree + 1):
        for chosen in combinations_with_replacement(range(n_in), total):
            rows.append(np.bincount(chosen, minlength=n_in))
    return np.array(rows, dtype=np.int64)


def value_matrix(values: str | tuple[int, ...], method: AbstractMethod) -> Array | None:
    """The matrix ``T`` (n_values, stages) that mixes stages into values; None for no values.

    ``"stages"`` takes every stage that the increment depends on, or four spread over the step where
    there are more than six (DOP853).

    Raises
    ------
    AttnsError
        If the method has no stages, or a named stage does not exist.
    """
    if values == "none":
        return None
    weights = stage_weights(method)
    if weights is None:
        raise AttnsError(f"values {values!r} need the stages of a Runge-Kutta method; {method.name!r} has none")
    identity = np.eye(weights.size)
    if values == "increment":
        return weights[None].copy()
    if isinstance(values, tuple):
        bad = [j for j in values if not 1 <= j <= weights.size]
        if bad:
            raise AttnsError(f"{method.name!r} has stages 1 to {weights.size}; values name {bad}")
        return identity[[j - 1 for j in values]]
    chosen = spread_stages(method)
    if values == "stages":
        return identity[chosen]
    if values == "differences":
        if len(chosen) < 2:
            raise AttnsError(f"stage differences need two stages; {method.name!r} has {len(chosen)}")
        return identity[chosen[1:]] - identity[chosen[0]]
    raise AttnsError(f"values must be none, increment, stages, differences or a list of stages, got {values!r}")


def spread_stages(method: AbstractMethod) -> list[int]:
    """Indices of the stages that serve as values: all needed ones, or four far apart in time."""
    if isinstance(method, ExplicitRungeKutta):
        needed, c = [int(j) for j in np.flatnonzero(method.tableau.needed)], method.tableau.c
    elif isinstance(method, Rosenbrock):
        needed, c = list(range(method.stages)), method.alpha
    else:
        return []
    if len(needed) <= _MOST_VALUES:
        return needed
    chosen = [needed[0], max(needed, key=lambda j: (c[j], j))]
    while len(chosen) < 4:
        rest = [j for j in needed if j not in chosen]
        chosen.append(max(rest, key=lambda j: (min(abs(c[j] - c[i]) for i in chosen), j)))
    return sorted(chosen)


def skeleton(
    corrector: Corrector, data: Dataset, name: str, *, bandwidth: float, seed: int, draw: int = 0
) -> TrainedCorrector:
    """Features of a corrector for input block ``name``: standardised inputs and random or monomial features.

    Parameters
    ----------
    bandwidth : float
        Standard deviation of the pre-activations that the standardised inputs cause. Small ones make
        smooth, polynomial-like features.
    draw : int
        Which of a seed's drawings of random features.
    """
    if corrector.tableau:
        raise AttnsError(
            f"corrector {corrector.name!r} is a learned tableau and has no features to fit; use the recipe 'tableau-lm'"
        )
    input_size(name, data.dim, data.method)  # a clear error where the method has no stages to offer
    x = data.inputs(name)
    mean, scale = standardisation(x)
    shared: dict[str, Any] = {
        "input": name,
        "mean": mean,
        "scale": scale,
        "linear": corrector.linear,
        "values": value_matrix(corrector.values, data.method),
    }
    if corrector.features == "polynomial":
        return TrainedCorrector(**shared, exponents=monomials(mean.size, corrector.degree))
    rng = np.random.default_rng([seed, 7, draw] if draw else [seed, 7])
    layers, n_in, spread = [], mean.size, bandwidth
    for _ in range(corrector.depth):
        layers.append(_random_layer(corrector, n_in, spread, rng))
        n_in, spread = corrector.width, 1.0
    return TrainedCorrector(**shared, layers=tuple(layers))


def project(corrector: Corrector, trained: TrainedCorrector, seed: int) -> TrainedCorrector:
    """The skeleton with a random projection of its last layer to ``rank`` directions, for recipes that train it.

    Without a rank the skeleton itself. Least squares finds the directions instead
    (:func:`attns_core.fitting.low_rank.compress`).

    Raises
    ------
    AttnsError
        If the rank is not between 1 and the width, or there are no units to project.
    """
    rank = corrector.rank
    if rank is None:
        return trained
    width = trained.layers[-1].bias.size if trained.layers else 0
    if not 1 <= rank <= width:
        raise AttnsError(f"corrector {corrector.name!r}: rank must lie between 1 and the width {width}, got {rank}")
    directions = np.linalg.qr(np.random.default_rng([seed, 19]).standard_normal((width, rank)))[0]
    layer = Layer(
        weight=np.ascontiguousarray(directions.T), bias=np.zeros(rank), activation="identity", shape=np.empty(0)
    )
    return replace(trained, layers=(*trained.layers, layer))


def _random_layer(corrector: Corrector, n_in: int, spread: float, rng: np.random.Generator) -> Layer:
    width = corrector.width
    weight = rng.standard_normal((width, n_in)) * spread / np.sqrt(n_in)
    # A sine sees every phase; the others are centred where they bend.
    reach = np.pi if corrector.activation == "sine" else 1.5
    return Layer(
        weight=weight,
        bias=rng.uniform(-reach, reach, width),
        activation=corrector.activation,
        shape=start_shape(corrector.activation, width),
    )


def start_shape(activation: str, width: int) -> Array:
    """Initial parameters of an activation, see :class:`attns_core.trained_corrector.Layer`."""
    if activation == "rational":
        return np.array(RATIONAL)
    if activation == "fsnet":
        return np.tile(np.array(FSNET)[:, None], (1, width))
    return np.empty(0)
