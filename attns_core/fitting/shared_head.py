"""One set of weights on the values for all components: few weights, and pairs of every component to fit them."""

import numpy as np

from attns_core.corrector import Corrector, TrainedCorrector
from attns_core.dataset import Dataset
from attns_core.fitting.heads import HeadFit, feature_matrix, value_stack, with_heads
from attns_core.fitting.ridge import Factor, choose_ridge
from attns_core.types import Array


def fit_shared(corrector: Corrector, skeleton: TrainedCorrector, data: Dataset, ridges: tuple[float, ...]) -> HeadFit:
    """Fit shared weights and, unless there are none, offsets per component.

    The offsets are eliminated: what the features alone explain is projected out of values and
    targets, the weights are fitted to the rest of all components together, and the offsets to what
    the weights leave.
    """
    phi, V = feature_matrix(skeleton, data), value_stack(skeleton, data)
    va, scale = data.held_out, data.scale
    norm = np.sqrt(np.mean(phi[~va] ** 2, axis=0))
    phi = phi / np.where(norm > 0, norm, 1.0)
    target = (data.r / scale[:, None]).T
    values = V / scale[:, None]

    def fit(mask: Array, ridge: float | None, check: Array) -> tuple[Array, Array, float]:
        basis = np.linalg.qr(phi[mask])[0] if corrector.offset else np.zeros((int(mask.sum()), 0))
        factor = None
        for i in range(data.dim):
            F = _columns(phi[mask], values[:, i, mask])
            Y = target[mask, i : i + 1]
            F, Y = F - basis @ (basis.T @ F), Y - basis @ (basis.T @ Y)
            factor = Factor.of(F, Y) if factor is None else factor.plus(F, Y)
        assert factor is not None
        path = factor.path()
        best: tuple[Array, Array, float] | None = None
        least = np.inf
        for value in ridges if ridge is None else (ridge,):
            w = path.solve(value)[:, 0]
            rest = np.stack([target[:, i] - _columns(phi, values[:, i]) @ w for i in range(data.dim)], axis=1)
            a = _offsets(phi, rest, mask, check, ridges, data.dim, corrector.offset)
            error = float(np.mean((rest - phi @ a)[check] ** 2))
            if error < least or best is None:
                best, least = (w, a, value), error
        assert best is not None
        return best

    w, a, ridge = fit(~va, None, va)
    errors = [
        np.stack([target[m, i] - _columns(phi[m], values[:, i, m]) @ w for i in range(data.dim)], axis=1) - phi[m] @ a
        for m in (va, ~va)
    ]
    bare = [np.mean(target[m] ** 2) for m in (va, ~va)]
    w, a, _ = fit(np.ones_like(va), ridge, va)
    heads = (
        np.concatenate([a, w.reshape(-1, phi.shape[1]).T @ np.eye(len(V))], axis=1)
        / np.where(norm > 0, norm, 1.0)[:, None]
    )
    trained = with_heads(skeleton, heads[:, : data.dim] * scale, phi.shape[1], 0, True)
    from dataclasses import replace

    trained = replace(
        trained,
        offset=trained.offset if corrector.offset else None,
        weights=np.ascontiguousarray(heads[:, data.dim :, None]),
    )
    return HeadFit(
        trained=trained,
        held_out=float(np.mean(errors[0] ** 2) / bare[0]) if bare[0] > 0 else 1.0,
        training=float(np.mean(errors[1] ** 2) / bare[1]) if bare[1] > 0 else 1.0,
        ridge=np.array([ridge]),
    )


def _columns(phi: Array, V: Array) -> Array:
    """``[phi V_1, phi V_2, ...]`` for values ``V`` (n_values, N) of one component."""
    return np.concatenate([phi * value[:, None] for value in V], axis=1)


def _offsets(
    phi: Array, rest: Array, mask: Array, check: Array, ridges: tuple[float, ...], dim: int, on: bool
) -> Array:
    if not on:
        return np.zeros((phi.shape[1], dim))
    path = Factor.of(phi[mask], rest[mask]).path()
    from attns_core.fitting.ridge import solve_each

    ridge, _ = choose_ridge(path, phi[check], rest[check], ridges)
    return solve_each(path, ridge)
