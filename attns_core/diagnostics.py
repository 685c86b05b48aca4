"""Diagnostics of trained correctors: how much they amplify, and whether they are used where they were trained."""

from typing import Any

import numpy as np

from attns_core.correction import activate, gather_inputs
from attns_core.dataset import Dataset
from attns_core.fitting.monomials import monomial_slopes, monomial_values
from attns_core.flow import step_increment
from attns_core.method import AbstractMethod
from attns_core.problem import Problem
from attns_core.trained_corrector import Layer, TrainedCorrector
from attns_core.types import Array

_SAMPLES = 128


def slope(z: Array, layer: Layer) -> Array:
    """Derivative of a layer's activation at pre-activations ``z`` of shape ``(width, n)``."""
    match layer.activation:
        case "identity":
            return np.ones_like(z)
        case "sine":
            return np.cos(z)
        case "quintic":
            y = z * z
            return 1 + y * (y / 24 - 1 / 2)
        case "tanh":
            return 1 - np.tanh(z) ** 2
        case "silu":
            s = 1 / (1 + np.exp(-z))
            return s * (1 + z * (1 - s))
        case "relu":
            return np.where(z > 0, 1.0, 0.0)
        case "rational":
            a0, a1, a2, a3, b0, b1, b2 = layer.shape
            below = b0 + z * (b1 + z * b2)
            above = a0 + z * (a1 + z * (a2 + z * a3))
            return (a1 + z * (2 * a2 + 3 * z * a3)) / below - above * (b1 + 2 * b2 * z) / below**2
        case "fsnet":
            a1, a2, a3, a4, a5 = layer.shape[:, :, None]
            s = 1 / (1 + np.exp(-a2 * (z + a3)))
            return a1 * a2 * s * (1 - s) * (1 - 2 * s) + 200 * a4 * a5 * np.cos(200 * a5 * z)


def feature_jacobian(trained: TrainedCorrector, x: Array) -> Array:
    """Derivatives of all features by the inputs, shape (n, n_features, n_in), for inputs ``(n_in, n)``."""
    n_in, n = x.shape
    z = (x - trained.mean[:, None]) / trained.scale[:, None]
    blocks = [np.zeros((n, 1, n_in))]
    if trained.linear:
        blocks.append(np.broadcast_to(np.diag(1 / trained.scale), (n, n_in, n_in)))
    slopes = None
    if trained.exponents is not None:
        slopes = monomial_slopes(z, trained.exponents).transpose(2, 0, 1) / trained.scale
    if trained.layers:
        hidden, jacobian = z, np.broadcast_to(np.diag(1 / trained.scale), (n, n_in, n_in))
        if slopes is not None:
            hidden = np.concatenate([z, monomial_values(z, trained.exponents)])
            jacobian = np.concatenate([jacobian, slopes], axis=1)
        for layer in trained.layers:
            pre = layer.weight @ hidden + layer.bias[:, None]
            jacobian = slope(pre, layer).T[:, :, None] * (layer.weight @ jacobian)
            hidden = activate(pre, layer)
        blocks.append(jacobian)
    elif slopes is not None:
        blocks.append(slopes)
    return np.concatenate(blocks, axis=1)


def term_jacobian(trained: TrainedCorrector, data: Dataset) -> Array:
    """Derivatives of the unbounded term by its inputs, the values held fixed, shape (N, dim, n_in)."""
    jacobian = feature_jacobian(trained, data.inputs(trained.input))
    out = np.zeros((data.n, data.dim, jacobian.shape[2]))
    if trained.offset is not None:
        out += np.einsum("fd,nfi->ndi", trained.offset, jacobian)
    if trained.weights is not None and trained.values is not None:
        values = data.dt * np.einsum("vj,jdn->vdn", trained.values, data.k)
        weights = np.broadcast_to(trained.weights, (*trained.weights.shape[:2], data.dim))
        out += np.einsum("fvd,vdn,nfi->ndi", weights, values, jacobian, optimize=True)
    return out


def lipschitz(trained: TrainedCorrector, data: Dataset) -> dict[str, Any]:
    """Lipschitz constants of the term with respect to its inputs: ``L_Q`` for AttNS, ``L_N`` for NeurVec.

    One AttNS step grows a perturbation by at most ``1 + L_S (1 + L_Q)`` with ``L_S = O(dt)``, one
    NeurVec step by ``1 + L_S + L_N``.

    Returns
    -------
    dict
        ``symbol``; ``sampled``, the largest spectral norm of the Jacobian over training pairs, a lower
        estimate; ``bound``, the product of spectral norms and largest activation slopes, an upper
        bound within the training region (None for polynomials, which have none).
    """
    pairs = sampled_pairs(data)
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(np.nan_to_num(term_jacobian(trained, pairs)), ord=2, axis=(1, 2))
        bound = None if trained.exponents is not None else _bound(trained, pairs)
    return {
        "symbol": "L_N" if trained.input == "u" else "L_Q",
        "sampled": float(norms.max()),
        "bound": bound if bound is not None and np.isfinite(bound) else None,
    }


def sampled_pairs(data: Dataset) -> Dataset:
    """A few hundred pairs spread over the dataset."""
    return data.take(np.linspace(0, data.n - 1, min(data.n, _SAMPLES)).astype(int))


def _bound(trained: TrainedCorrector, data: Dataset) -> float:
    """``|heads on inputs| + |heads on units| prod |W_l| max slope_l``, summed over offset and values."""
    heads = []
    if trained.offset is not None:
        heads.append(trained.offset)
    if trained.weights is not None and trained.values is not None:
        values = np.abs(data.dt * np.einsum("vj,jdn->vdn", trained.values, data.k)).max(axis=2)
        heads += [trained.weights[:, v, :] * values[v] for v in range(len(values))]
    gain = 1.0
    for i, layer in enumerate(trained.layers):
        weight = layer.weight / trained.scale if i == 0 else layer.weight
        gain *= float(np.linalg.norm(weight, 2)) * _largest_slope(layer)
    n_in = trained.mean.size if trained.linear else 0
    total = 0.0
    for head in heads:
        total += float(np.linalg.norm(head[1 : 1 + n_in] / trained.scale[:n_in, None], 2)) if n_in else 0.0
        if trained.layers:
            total += float(np.linalg.norm(head[1 + n_in :], 2)) * gain
    return total


def _largest_slope(layer: Layer) -> float:
    # The rational activation's slope is asymptotically constant, so a wide grid finds the supremum.
    grid = np.broadcast_to(np.concatenate([np.linspace(-20, 20, 20001), [-1e6, 1e6]]), (layer.bias.size, 20003))
    if layer.activation in ("sine", "tanh", "relu", "identity"):
        return 1.0
    if layer.activation == "quintic":
        return float("inf")
    rows = grid if layer.activation == "fsnet" else grid[:1]
    return float(np.abs(slope(rows, layer)).max())


def input_range(x: Array) -> tuple[Array, Array]:
    """Smallest and largest value of each input ``(n_in, N)`` in the training data."""
    return x.min(axis=1), x.max(axis=1)


def out_of_range(metadata: dict[str, Any], u: Array, S: Array, k: Any, *, margin: float = 0.1) -> Any:
    """Which states lie outside the training region, shape (n,), bool.

    Parameters
    ----------
    metadata : dict
        Of a :class:`attns_core.training.Trained`; its ``input`` and ``input_range`` are used.
    u, S, k : array
        As in :func:`attns_core.correction.correction`.
    margin : float
        Tolerance, as a fraction of each input's training range.
    """
    x = gather_inputs(metadata["input"], u, S, k)
    low, high = (np.asarray(side)[:, None] for side in metadata["input_range"])
    slack = margin * (high - low)
    inside = (x >= low - slack) & (x <= high + slack)
    return ~inside.all(axis=0)


def trajectories_out_of_range(
    metadata: dict[str, Any], problem: Problem, method: AbstractMethod, u: Array, *, margin: float = 0.1
) -> Any:
    """Which trajectories of a corrected solution leave the training region at a saved time, shape (n,), bool.

    Parameters
    ----------
    metadata : dict
        Of a :class:`attns_core.training.Trained`.
    problem : Problem
    method : AbstractMethod
        The corrected one.
    u : array, shape (n_save, dim, n)
        States at the problem's saved times.
    margin : float
        As in :func:`out_of_range`.
    """
    n_save, dim, n = u.shape
    states = u.transpose(1, 0, 2).reshape(dim, n_save * n)
    S, k = states, np.empty((0, dim, states.shape[1]))
    with np.errstate(all="ignore"):
        if metadata["input"] != "u":
            times = np.repeat(problem.t_save, n)
            S, k = step_increment(problem.equation, method, times, states, metadata["dt"])
        outside = out_of_range(metadata, states, S, k, margin=margin)
    return outside.reshape(n_save, n).any(axis=0)
