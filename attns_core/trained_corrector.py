"""Trained correctors: the weights of :mod:`attns_core.corrector`'s formula, all that a backend needs."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.corrector import Activation
from attns_core.errors import AttnsError
from attns_core.maths import COST, DIVISION
from attns_core.types import Array

ACTIVATION_COST = {
    "identity": 0,
    "sine": COST["sin"],
    "quintic": 6,
    "tanh": COST["tanh"],
    "silu": COST["exp"] + DIVISION + 2,
    "relu": 1,
    "rational": 10 + DIVISION,
    "fsnet": COST["exp"] + DIVISION + COST["sin"] + 8,
}
"""Operations of one unit's activation."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One hidden layer ``act(W z + b)``.

    Parameters
    ----------
    weight : array, shape (width, n_in)
    bias : array, shape (width,)
    activation : str
    shape : array
        Parameters of the activation: rational ``(a0, a1, a2, a3, b0, b1, b2)``, shape (7,); FSNet's
        ``(a1, a2, a3, a4, a5)`` per channel, shape (5, width); empty for the others.
    """

    weight: Array
    bias: Array
    activation: Activation
    shape: Array


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedCorrector:
    """A corrector with weights: everything a backend needs to evaluate the term, and nothing else.

    Parameters
    ----------
    input : str
        One of ``INPUTS``.
    mean, scale : array, shape (n_in,)
        Inputs are standardised as ``z = (x - mean) / scale``.
    layers : tuple of Layer
        Applied in turn to ``z``; empty for linear and polynomial features.
    exponents : integer array, shape (n_monomials, n_in), optional
        Monomials of ``z`` as features in place of layers; of a learned tableau with queries, layers act on ``z`` and
        its monomials.
    linear : bool
        Whether ``z`` itself is among the features.
    offset : array, shape (n_features, dim), optional
    weights : array, shape (n_features, n_values, dim) or (n_features, n_values, 1), optional
        A last axis of 1 is shared by all components.
    values : array, shape (n_values, stages), optional
        The matrix ``T`` above.
    bound, clip : array, shape (dim,), optional
        ``bound * tanh(C / bound)``; ``C`` limited to ``[-clip, clip]``.
    lower, upper : array, shape (n_in,), optional
        Inputs are limited to ``[lower, upper]`` before anything else.
    tableau : array, shape (n_features, stages + 1, stages, dim), optional
        What a learned tableau adds to the method's weights, by each of the features: rows of ``alpha``, then ``beta``.
    active : bool
        False when the gate is closed: the held-out error was not below the bare method's, and the
        step is the bare method's bit for bit.

    Notes
    -----
    The features are, in this order: the constant 1, the standardised inputs if ``linear``, then the
    last layer's units or the monomials.
    """

    input: str
    mean: Array
    scale: Array
    layers: tuple[Layer, ...] = ()
    exponents: Any = None
    linear: bool = True
    offset: Array | None = None
    weights: Array | None = None
    values: Array | None = None
    bound: Array | None = None
    clip: Array | None = None
    lower: Array | None = None
    upper: Array | None = None
    tableau: Array | None = None
    active: bool = True

    def __post_init__(self) -> None:
        if not self.is_attentive:
            return
        if self.has_term:
            raise AttnsError("a learned tableau with queries has no term besides: its features weigh the stages inside")
        if self.input != "u" or self.linear or [layer.activation for layer in self.layers] != ["identity"]:
            raise AttnsError("queries of a learned tableau are one layer of identities on the state and its monomials")

    @property
    def has_term(self) -> bool:
        """Whether there is a term ``C``; a learned tableau alone has none."""
        return self.offset is not None or self.weights is not None

    @property
    def tableau_weights(self) -> int:
        """Number of weights of a learned tableau: strictly lower triangular, then a row of all stages, by feature."""
        features = () if self.tableau is None else self.tableau
        return sum(int(row[:i].size) for rows in features for i, row in enumerate(rows))

    @property
    def is_attentive(self) -> bool:
        """Whether a learned tableau's weights depend on the state."""
        return self.tableau is not None and len(self.tableau) > 1

    @property
    def n_weights(self) -> int:
        """Trained numbers: offset, weights of the values, layers with their activations' shapes, a learned tableau."""
        arrays = [self.offset, self.weights]
        for layer in self.layers:
            arrays += [layer.weight, layer.bias, layer.shape]
        return sum(a.size for a in arrays if a is not None) + self.tableau_weights

    @property
    def n_features(self) -> int:
        hidden = self.layers[-1].bias.size if self.layers else (0 if self.exponents is None else len(self.exponents))
        return 1 + (self.mean.size if self.linear else 0) + hidden

    @property
    def dim(self) -> int:
        """Components of the state."""
        for array in (self.offset, self.weights, self.tableau):
            if array is not None and array.shape[-1] > 1:
                return int(array.shape[-1])
        # Shared weights alone: the inputs tell.
        stages = 0 if self.values is None else self.values.shape[1]
        blocks = {"u": 1, "S": 1, "uS": 2, "f": 1, "K": stages, "uK": 1 + stages}[self.input]
        return self.mean.size // blocks

    @property
    def operations(self) -> int:
        """Floating-point operations per evaluation and trajectory, weighted as those of right-hand sides.

        An addition counts 1, a sine 20 (:data:`attns_core.maths.COST`); see :mod:`attns_core.operations`.
        """
        if not (self.has_term or self.is_attentive):
            return 0
        dim, count = self.dim, 2 * self.mean.size
        for layer in self.layers:
            count += 2 * layer.weight.size + ACTIVATION_COST[layer.activation] * layer.bias.size
        if self.exponents is not None:
            count += len(self.exponents)
        if self.offset is not None:
            count += 2 * self.offset.size
        if self.weights is not None:
            count += 2 * self.weights.size
        if self.values is not None:
            count += 2 * dim * (int(np.count_nonzero(self.values)) + len(self.values))
        if self.bound is not None:
            count += (COST["tanh"] + 2) * dim
        if self.clip is not None:
            count += 2 * dim
        return count
