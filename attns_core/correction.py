"""The corrector's term evaluated in NumPy: the definition that every backend is held to."""

from typing import Any

import numpy as np

from attns_core.corrector_sequence import Correction
from attns_core.errors import AttnsError
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Rosenbrock
from attns_core.trained_corrector import Layer, TrainedCorrector
from attns_core.types import Array


def stage_weights(method: AbstractMethod) -> Array | None:
    """Weights ``b`` of the stages in the increment ``S = dt sum_j b_j k_j``; None for methods without stages."""
    match method:
        case ExplicitRungeKutta():
            return method.tableau.b
        case Rosenbrock():
            return method.m
    return None


def learned_weights(method: ExplicitRungeKutta, added: Array | None) -> tuple[Array, Array]:
    """Weights of a step, a learned tableau ``added``: ``a`` (features, stages, stages, dim or 1) and ``b``.

    ``b`` has the shape (features, stages, dim or 1). The first feature is the constant 1, which the method's own
    weights belong to.

    Raises
    ------
    AttnsError
        If the learned tableau has another number of stages.
    """
    a, b = method.tableau.a[None, :, :, None], method.tableau.b[None, :, None]
    if added is None:
        return a, b
    stages = b.shape[1]
    if added.shape[1:3] != (stages + 1, stages):
        raise AttnsError(f"a learned tableau of {added.shape[2]} stages; {method.name!r} has {stages}")
    first = np.arange(len(added)) == 0
    return added[:, :-1] + first[:, None, None, None] * a, added[:, -1] + first[:, None, None] * b


def why_no_tableau(method: AbstractMethod, corrector: Correction | None) -> str | None:
    """None unless ``corrector`` is a learned tableau and the method has none to add it to."""
    if corrector is None or corrector.tableau is None or isinstance(method, ExplicitRungeKutta):
        return None
    return f"a learned tableau needs an explicit Runge-Kutta method; {method.name} is none"


def input_size(name: str, dim: int, method: AbstractMethod) -> int:
    """Number of inputs ``n_in`` of an input block for a method.

    Raises
    ------
    AttnsError
        If the method has no stages to offer (``f``, ``K``, ``uK`` need a Runge-Kutta or Rosenbrock method).
    """
    weights = stage_weights(method)
    if name in ("f", "K", "uK") and weights is None:
        raise AttnsError(f"input {name!r} needs the stages of a Runge-Kutta method; {method.name!r} has none")
    stages = 0 if weights is None else weights.size
    sizes = {"u": dim, "S": dim, "uS": 2 * dim, "f": dim, "K": stages * dim, "uK": (1 + stages) * dim, "u0": dim}
    return sizes[name]


def gather_inputs(name: str, u: Array, S: Array, k: Any, u0: Array | None = None) -> Array:
    """Concatenate input blocks: ``u``, ``S``, ``u0`` of shape (dim, n), ``k`` (stages, dim, n) -> (n_in, n).

    Raises
    ------
    AttnsError
        If the initial state is asked for and not given.
    """
    if name == "u0":
        if u0 is None:
            raise AttnsError("the input 'u0' exists in sequences of correctors only; use 'u' for one corrected step")
        return u0
    blocks = {"u": [u], "S": [S], "uS": [u, S], "f": k[:1], "K": [*k], "uK": [u, *k]}[name]
    return np.concatenate(blocks, axis=0)


def activate(z: Array, layer: Layer) -> Array:
    """The layer's activation on pre-activations of shape ``(width, n)``."""
    match layer.activation:
        case "identity":
            return z
        case "sine":
            return np.sin(z)
        case "quintic":
            y = z * z
            return z * (1 + y * (y / 120 - 1 / 6))
        case "tanh":
            return np.tanh(z)
        case "silu":
            return z / (1 + np.exp(-z))
        case "relu":
            return np.maximum(z, 0)
        case "rational":
            a0, a1, a2, a3, b0, b1, b2 = layer.shape
            return (a0 + z * (a1 + z * (a2 + z * a3))) / (b0 + z * (b1 + z * b2))
        case "fsnet":
            a1, a2, a3, a4, a5 = layer.shape[:, :, None]
            s = 1 / (1 + np.exp(-a2 * (z + a3)))
            return a1 * s * (1 - s) + a4 * np.sin(200 * a5 * z)


def features(corrector: TrainedCorrector, x: Array) -> Array:
    """Feature vector of inputs ``(n_in, n)``: shape ``(n_features, n)``. Slow and obvious."""
    if corrector.lower is not None and corrector.upper is not None:
        x = np.clip(x, corrector.lower[:, None], corrector.upper[:, None])
    z = (x - corrector.mean[:, None]) / corrector.scale[:, None]
    blocks: list[Any] = [np.ones_like(z[:1])]
    if corrector.linear:
        blocks.append(z)
    exponents = () if corrector.exponents is None else corrector.exponents
    products = [np.prod(z ** e[:, None], axis=0)[None] for e in exponents]
    hidden = np.concatenate([z, *products])
    for layer in corrector.layers:
        hidden = activate(layer.weight @ hidden + layer.bias[:, None], layer)
    blocks += [hidden] if corrector.layers else products
    return np.concatenate(blocks, axis=0)


def correction(corrector: TrainedCorrector, u: Array, S: Array, k: Any, dt: float, u0: Array | None = None) -> Array:
    """The corrector's term ``C`` for states ``(dim, n)``: the definition every backend is held to.

    Parameters
    ----------
    u, S : array, shape (dim, n)
        State and increment (``S`` includes the factor ``dt``).
    k : array, shape (stages, dim, n)
        Stages; empty for methods without.
    u0 : array, shape (dim, n), optional
        Initial state of the solve, for the input ``u0``.
    """
    phi = features(corrector, gather_inputs(corrector.input, u, S, k, u0))
    term = np.zeros_like(u)
    if corrector.offset is not None:
        term = term + corrector.offset.T @ phi
    if corrector.weights is not None and corrector.values is not None:
        for v, row in enumerate(corrector.values):
            value = sum(dt * c * k_j for c, k_j in zip(row, k, strict=True) if c != 0)
            term = term + (corrector.weights[:, v, :].T @ phi) * value
    if corrector.bound is not None:
        bound = corrector.bound[:, None]
        term = bound * np.tanh(term / bound)
    if corrector.clip is not None:
        term = np.clip(term, -corrector.clip[:, None], corrector.clip[:, None])
    return term
