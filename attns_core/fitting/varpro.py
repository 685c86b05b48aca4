"""Variable projection: train the hidden layer while the heads stay at their least-squares optimum.

Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973), with Kaufman's Jacobian (BIT 15, 1975) and
Levenberg-Marquardt damping: the heads are never parameters of the search, so the ill-conditioned
part of the problem is solved exactly in every step.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np

from attns_core.correction import activate
from attns_core.corrector import Corrector, TrainedCorrector
from attns_core.dataset import Dataset
from attns_core.diagnostics import slope
from attns_core.errors import AttnsError
from attns_core.fitting.heads import design, target_of, value_stack
from attns_core.types import Array

_MOST_PARAMETERS = 2500
_FLOOR = 1e-13
"""Rows ``_FLOOR * norm`` below the design keep near-collinear features from amplifying round-off."""

Report: TypeAlias = Callable[[int, float, float], None]
"""``report(iteration, training loss, held-out loss)``."""


@final
@dataclass(eq=False)
class _Model:
    """Training and held-out parts of the data in the form that every iteration needs."""

    skeleton: TrainedCorrector
    offset: bool
    z: Array
    V: Array
    y: Array
    size: float
    """Root mean square of the targets, in the dataset's units; ``y`` is measured in it."""
    check: "_Model | None" = None

    def hidden(self, weight: Array, bias: Array) -> tuple[Array, Array]:
        layer = replace(self.skeleton.layers[0], weight=weight, bias=bias)
        pre = weight @ self.z + bias[:, None]
        return activate(pre, layer), slope(pre, layer)

    def features(self, hidden: Array) -> Array:
        """Features in the order of :func:`attns_core.correction.features`, shape (N, n_features)."""
        blocks = [np.ones_like(self.z[:1]), *([self.z] if self.skeleton.linear else []), hidden]
        return np.concatenate(blocks).T

    def jobs(self) -> list[slice]:
        """Components that share a design: all of them without values, each on its own with."""
        return [slice(i, i + 1) for i in range(self.y.shape[1])] if len(self.V) else [slice(None)]


def refuse_coupled_heads(corrector: Corrector, dim: int) -> None:
    """Heads are eliminated component by component, so none may be shared, and one hidden layer is trained.

    Raises
    ------
    AttnsError
        For a shared head (one design of ``dim`` times the rows, and as many dense Jacobians) and for a
        low-rank head (a second layer).
    """
    if corrector.head == "shared" and corrector.shares_weights(dim):
        raise AttnsError(
            "variable projection solves for the heads of each component on its own and has no shared head; "
            "use the recipe lsq or adam, or head='component'"
        )
    if corrector.rank is not None:
        raise AttnsError(
            "variable projection trains exactly one hidden layer and a low-rank head is a second one; "
            "use the recipe lsq or adam, or no rank"
        )


def train_features(
    corrector: Corrector,
    skeleton: TrainedCorrector,
    data: Dataset,
    *,
    iterations: int,
    patience: int,
    tolerance: float = 0.0,
    report: Report | None = None,
) -> tuple[TrainedCorrector, bool]:
    """The skeleton with its one hidden layer trained on the training pairs.

    The layer of least held-out error is returned, and whether the keyboard ended the search. It also
    ends after ``patience`` iterations without a better one, when no damping makes a step worth
    taking, or when the held-out root mean square error, in the dataset's units, is ``tolerance``.

    Raises
    ------
    AttnsError
        For anything but one hidden layer, or for more parameters than a dense Jacobian bears.
    """
    if corrector.features != "network" or len(skeleton.layers) != 1:
        raise AttnsError("variable projection trains exactly one hidden layer; use the recipe lsq or adam instead")
    layer = skeleton.layers[0]
    if layer.weight.size + layer.bias.size > _MOST_PARAMETERS:
        raise AttnsError(
            f"{layer.weight.size + layer.bias.size} hidden parameters are too many for variable projection "
            f"(at most {_MOST_PARAMETERS}); use fewer units, a smaller input, or the recipe lsq or adam"
        )
    model = _model(corrector, skeleton, data)
    weight, bias = layer.weight, layer.bias
    state = _evaluate(model, weight, bias)
    best, least, since = (weight, bias), state.held_out, 0
    damping, interrupted = 1e-2, False
    enough = (tolerance / model.size) ** 2
    try:
        for iteration in range(iterations):
            normal, gradient = _normal_equations(model, state)
            step, delta = None, np.zeros((weight.shape[0], weight.shape[1] + 1))
            for _ in range(10):
                scale = np.maximum(np.diag(normal), 1e-14 * np.diag(normal).max(initial=0.0)) + 1e-300
                delta = -np.linalg.solve(normal + damping * np.diag(scale), gradient).reshape(delta.shape)
                trial = _evaluate(model, weight + delta[:, :-1], bias + delta[:, -1])
                if trial.loss < state.loss:
                    step = trial
                    break
                damping *= 4
            if step is None:
                break
            weight, bias, state = weight + delta[:, :-1], bias + delta[:, -1], step
            damping = max(damping / 3, 1e-12)
            since += 1
            if state.held_out < least:
                best, least, since = (weight, bias), state.held_out, 0
            if report is not None:
                report(iteration + 1, state.loss, state.held_out)
            if since >= patience or state.held_out <= enough:
                break
    except KeyboardInterrupt:
        interrupted = True
    return replace(skeleton, layers=(replace(layer, weight=best[0], bias=best[1]),)), interrupted


def _model(corrector: Corrector, skeleton: TrainedCorrector, data: Dataset) -> _Model:
    target, _ = target_of(corrector, data)
    x = (data.inputs(skeleton.input) - skeleton.mean[:, None]) / skeleton.scale[:, None]
    V = value_stack(skeleton, data)
    if len(V):
        V = V / np.maximum(np.sqrt(np.mean(V**2, axis=2, keepdims=True)), 1e-300)
    size = float(np.sqrt(np.mean(target**2)))
    target = target / size
    va: Any = data.held_out
    parts = [_Model(skeleton, corrector.offset, x[:, m], V[:, :, m], target[m], size) for m in (~va, va)]
    parts[0].check = parts[1]
    return parts[0]


@final
@dataclass(frozen=True, eq=False)
class _State:
    """Heads and losses at one hidden layer; the design's orthogonal basis per job."""

    slopes: Array
    bases: list[Array]
    heads: list[Array]
    residuals: list[Array]
    loss: float
    held_out: float


def _evaluate(model: _Model, weight: Array, bias: Array) -> _State:
    with np.errstate(all="ignore"):
        hidden, slopes = model.hidden(weight, bias)
        check = model.check
        assert check is not None
        other = check.features(check.hidden(weight, bias)[0])
    phi = model.features(hidden)
    if not (np.all(np.isfinite(phi)) and np.all(np.isfinite(other))):
        return _State(slopes, [], [], [], np.inf, np.inf)
    bases, heads, residuals, held = [], [], [], []
    for job in model.jobs():
        F, Y = design(phi, model.V[:, job], model.offset), model.y[:, job]
        norm = np.sqrt(np.mean(F**2, axis=0))
        norm = np.where(norm > 0, norm, 1.0)
        columns = F.shape[1]
        padded = np.vstack([F / norm, _FLOOR * np.sqrt(len(F)) * np.eye(columns)])
        basis, R = np.linalg.qr(padded)
        basis = basis[: len(F)]
        c = np.linalg.solve(R, basis.T @ Y)
        bases.append(basis)
        heads.append(c / norm[:, None])
        residuals.append((F / norm) @ c - Y)
        held.append(design(other, check.V[:, job], model.offset) @ heads[-1] - check.y[:, job])
    return _State(
        slopes,
        bases,
        heads,
        residuals,
        float(np.mean(np.concatenate(residuals, axis=1) ** 2)),
        float(np.mean(np.concatenate(held, axis=1) ** 2)),
    )


def _normal_equations(model: _Model, state: _State) -> tuple[Array, Array]:
    """``J^T J`` and ``J^T e`` of the projected residuals by weights and biases, unit by unit."""
    z1 = np.concatenate([model.z, np.ones_like(model.z[:1])])
    width, n_in1, n = state.slopes.shape[0], z1.shape[0], z1.shape[1]
    size = width * n_in1
    normal, gradient = np.zeros((size, size)), np.zeros(size)
    first = 1 + (model.z.shape[0] if model.skeleton.linear else 0)
    for job, basis, heads, residual in zip(model.jobs(), state.bases, state.heads, state.residuals, strict=True):
        per_block = first + width
        blocks = heads.reshape(-1, per_block, heads.shape[1])[:, first:]
        for column in range(heads.shape[1]):
            gain = np.zeros((width, n))
            position = 0
            if model.offset:
                gain += blocks[0, :, column][:, None]
                position = 1
            for v in range(len(model.V)):
                gain += blocks[position + v, :, column][:, None] * model.V[v, job][0]
            J = ((gain * state.slopes)[:, None, :] * z1[None]).reshape(size, n).T
            J = J - basis @ (basis.T @ J)
            normal += J.T @ J
            gradient += J.T @ residual[:, column]
    return normal, gradient
