"""Heads: the offsets and weights of a corrector on given features, by ridge least squares."""

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from attns_core.correction import features
from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.fitting.monomials import monomial_values
from attns_core.fitting.ridge import RIDGES, Factor, choose_ridge, solve_each
from attns_core.trained_corrector import TrainedCorrector
from attns_core.types import Array


@final
@dataclass(frozen=True, eq=False)
class HeadFit:
    """Fitted heads.

    Parameters
    ----------
    trained : TrainedCorrector
        Refitted on all pairs with the chosen ridges.
    held_out : float
        Relative error on held-out pairs of the fit that never saw them.
    training : float
        Relative error of that fit on the pairs it saw.
    ridge : array
        Chosen ridge per component (one entry for a shared head).
    """

    trained: TrainedCorrector
    held_out: float
    training: float
    ridge: Array


def feature_matrix(skeleton: TrainedCorrector, data: Dataset) -> Array:
    """Features at every pair, shape (N, n_features)."""
    if skeleton.exponents is not None:
        z = (data.inputs(skeleton.input) - skeleton.mean[:, None]) / skeleton.scale[:, None]
        linear = [z] if skeleton.linear else []
        return np.concatenate([np.ones_like(z[:1]), *linear, monomial_values(z, skeleton.exponents)]).T
    return np.ascontiguousarray(features(skeleton, data.inputs(skeleton.input)).T)


def value_stack(skeleton: TrainedCorrector, data: Dataset) -> Array:
    """Values at every pair, shape (n_values, dim, N); no rows where there are none."""
    if skeleton.values is None:
        return np.zeros((0, data.dim, data.n))
    return data.dt * np.einsum("vj,jdn->vdn", skeleton.values, data.k)


def fit_heads(
    corrector: Corrector, skeleton: TrainedCorrector, data: Dataset, *, ridges: tuple[float, ...] = RIDGES
) -> HeadFit:
    """Fit a corrector's heads, the ridge chosen on held-out pairs.

    Raises
    ------
    AttnsError
        If no pairs are held out, or there are fewer pairs than unknowns and no ridge.
    """
    if not data.held_out.any() or data.held_out.all():
        raise AttnsError(f"{data.n} pairs leave none to hold out; use more trajectories or a longer t_end")
    if corrector.shares_weights(data.dim):
        from attns_core.fitting.shared_head import fit_shared

        return fit_shared(corrector, skeleton, data, ridges)
    phi, V = feature_matrix(skeleton, data), value_stack(skeleton, data)
    va: Any = data.held_out
    target, scale = target_of(corrector, data)
    solved: list[Array] = []
    held_out, training, chosen = [], [], []
    # Without values all components share one design.
    for columns in [slice(None)] if not len(V) else [slice(i, i + 1) for i in range(data.dim)]:
        Y = target[:, columns]
        if not Y.any():
            solved.append(np.zeros((phi.shape[1] * (len(V) + corrector.offset), Y.shape[1])))
            held_out.append(np.zeros(Y.shape[1]))
            training.append(np.zeros(Y.shape[1]))
            chosen.append(np.full(Y.shape[1], ridges[-1]))
            continue
        F = design(phi, V[:, columns], corrector.offset)
        norm = np.sqrt(np.mean(F[~va] ** 2, axis=0))
        F /= np.where(norm > 0, norm, 1.0)
        factor = Factor.of(F[~va], Y[~va])
        path = factor.path()
        ridge, error = choose_ridge(path, F[va], Y[va], ridges)
        training.append(np.mean((F[~va] @ solve_each(path, ridge) - Y[~va]) ** 2, axis=0))
        final = factor.plus(F[va], Y[va]).solve_each(ridge)
        solved.append(final / np.where(norm > 0, norm, 1.0)[:, None])
        held_out.append(error)
        chosen.append(ridge)
    coefficients = np.concatenate(solved, axis=1) * scale
    bare = (target**2).mean(axis=1)
    return HeadFit(
        trained=with_heads(skeleton, coefficients, phi.shape[1], len(V), corrector.offset),
        held_out=ratio(np.concatenate(held_out).mean(), bare[va].mean()),
        training=ratio(np.concatenate(training).mean(), bare[~va].mean()),
        ridge=np.concatenate(chosen),
    )


def target_of(corrector: Corrector, data: Dataset) -> tuple[Array, Array]:
    """What the heads are fitted to, in units of each component's spread: targets (N, dim), spreads (dim,).

    For a smoothly bounded term that is what the bound maps to the residual.
    """
    r, scale = data.r, data.scale
    if corrector.bound is not None:
        bound = limit(corrector.bound, data)[:, None]
        r = bound * np.arctanh(np.clip(r / bound, -0.999, 0.999))
    return (r / scale[:, None]).T, scale


def limit(multiple: float, data: Dataset) -> Array:
    """A multiple of the largest training residual of every component, shape (dim,)."""
    return multiple * np.abs(data.r).max(axis=1)


def design(phi: Array, V: Array, offset: bool) -> Array:
    """Columns ``[phi, phi V_1, phi V_2, ...]`` for one component's values ``V`` (n_values, 1, N)."""
    blocks = [phi] if offset else []
    blocks += [phi * value[0][:, None] for value in V]
    return np.concatenate(blocks, axis=1) if len(blocks) > 1 or not offset else phi.copy()


def with_heads(
    skeleton: TrainedCorrector, coefficients: Array, n: int, n_values: int, offset: bool
) -> TrainedCorrector:
    """The skeleton with heads from stacked coefficients ``(blocks * n, dim)`` in the order of :func:`design`."""
    blocks = coefficients.reshape(-1, n, coefficients.shape[1])
    return replace(
        skeleton,
        offset=np.ascontiguousarray(blocks[0]) if offset else None,
        weights=np.ascontiguousarray(blocks[1 if offset else 0 :].transpose(1, 0, 2)) if n_values else None,
    )


def ratio(error: float, bare: float) -> float:
    """``error / bare``; 1 where the bare method leaves nothing to correct."""
    return float(error / bare) if bare > 0 else 1.0
