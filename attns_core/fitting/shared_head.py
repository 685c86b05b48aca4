"""One set of weights on the values for all components: few weights, and pairs of every component to fit them."""

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.fitting.heads import HeadFit, feature_matrix, ratio, target_of, value_stack
from attns_core.fitting.ridge import Factor, choose_ridge, solve_each
from attns_core.trained_corrector import TrainedCorrector
from attns_core.types import Array

_MOST_ROWS = 20000


@final
@dataclass(frozen=True, eq=False)
class _Heads:
    """Shared weights ``w`` (n_values * n_features,), offsets ``a`` (n_features, dim) and their ridges."""

    w: Array
    a: Array
    ridge: float
    offset_ridge: Array


def fit_shared(corrector: Corrector, skeleton: TrainedCorrector, data: Dataset, ridges: tuple[float, ...]) -> HeadFit:
    """Fit shared weights and, unless there are none, offsets per component.

    The offsets are eliminated: what the features alone explain is projected out of values and
    targets, the weights are fitted to the rest of all components together, and the offsets to what
    the weights leave.
    """
    va: Any = data.held_out
    target, scale = target_of(corrector, data)
    phi, V = feature_matrix(skeleton, data), value_stack(skeleton, data) / scale[:, None]
    norm = np.sqrt(np.mean(phi[~va] ** 2, axis=0))
    norm = np.where(norm > 0, norm, 1.0)
    phi = phi / norm

    first = _fit(phi, V, target, ~va, va, ridges, corrector.offset)
    held_out, training = (float(np.mean(_residual(phi, V, target, first, m) ** 2)) for m in (va, ~va))
    everything = np.ones_like(va)
    last = _fit(phi, V, target, everything, va, (first.ridge,), corrector.offset, first.offset_ridge)
    trained = replace(
        skeleton,
        offset=last.a / norm[:, None] * scale if corrector.offset else None,
        weights=np.ascontiguousarray((last.w.reshape(len(V), -1) / norm).T[:, :, None]),
    )
    return HeadFit(
        trained=trained,
        held_out=ratio(held_out, float(np.mean(target[va] ** 2))),
        training=ratio(training, float(np.mean(target[~va] ** 2))),
        ridge=np.array([first.ridge]),
    )


def _fit(
    phi: Array,
    V: Array,
    target: Array,
    mask: Any,
    check: Any,
    ridges: tuple[float, ...],
    offset: bool,
    offset_ridge: Array | None = None,
) -> _Heads:
    """Heads fitted on ``mask`` with the ridges that are best on ``check``, or those of the offsets given."""
    rows = phi[mask]
    basis = np.linalg.qr(rows)[0] if offset else rows[:, :0]
    factor: Factor | None = None
    stride = max(1, len(rows) * V.shape[1] // _MOST_ROWS)
    for i in range(V.shape[1]):
        F, Y = _columns(rows, V[:, i, mask]), target[mask, i : i + 1]
        F, Y = F - basis @ (basis.T @ F), Y - basis @ (basis.T @ Y)
        # Other pairs of every component: together they still cover the training region.
        F, Y = F[i % stride :: stride], Y[i % stride :: stride]
        factor = Factor.of(F, Y) if factor is None else factor.plus(F, Y)
    assert factor is not None
    path = factor.path()
    best, least = None, np.inf
    for ridge in ridges:
        w = path.solve(ridge)[:, 0]
        heads = _Heads(w, np.zeros((phi.shape[1], V.shape[1])), ridge, np.empty(0))
        if offset:
            left = _residual(phi, V, target, heads, np.ones_like(mask))
            offsets = Factor.of(rows, left[mask]).path()
            chosen = offset_ridge
            if chosen is None:
                chosen, _ = choose_ridge(offsets, phi[check], left[check], ridges)
            heads = replace(heads, a=solve_each(offsets, chosen), offset_ridge=chosen)
        error = float(np.mean(_residual(phi, V, target, heads, check) ** 2))
        if best is None or error < least:
            best, least = heads, error
    assert best is not None
    return best


def _residual(phi: Array, V: Array, target: Array, heads: _Heads, mask: Any) -> Array:
    """What the heads leave of the targets on ``mask``, shape (rows, dim)."""
    rows, w = phi[mask], heads.w.reshape(len(V), -1)
    weighted = np.einsum("vn,vdn->nd", w @ rows.T, V[:, :, mask])
    return target[mask] - weighted - rows @ heads.a


def _columns(phi: Array, V: Array) -> Array:
    """``[phi V_1, phi V_2, ...]`` for values ``V`` (n_values, N) of one component."""
    return np.concatenate([phi * value[:, None] for value in V], axis=1)
