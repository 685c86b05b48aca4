"""Variable projection: train the hidden layer while the heads stay at their least-squares optimum.

Golub and Pereyra, SIAM J. Numer. Anal. 10 (1973), with Kaufman's Jacobian (BIT 15, 1975) and
Levenberg-Marquardt damping: the heads are never parameters of the search, so the ill-conditioned
part of the problem is solved exactly in every step.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np
from scipy.linalg import get_lapack_funcs, solve_triangular

from attns_core.correction import activate
from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.diagnostics import slope
from attns_core.errors import AttnsError
from attns_core.fitting.heads import design, target_of, value_stack
from attns_core.trained_corrector import TrainedCorrector
from attns_core.types import Array

_MOST_PARAMETERS = 2500
_FLOOR = 1e-13
"""Rows ``_FLOOR * norm`` below the design keep near-collinear features from amplifying round-off."""

_geqrf, _orgqr, _posv = get_lapack_funcs(("geqrf", "orgqr", "posv"), dtype=np.float64)

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

    def hidden(self, weight: Array, bias: Array) -> Array:
        """Hidden units at every pair, shape (width, N)."""
        return activate(weight @ self.z + bias[:, None], self.skeleton.layers[0])

    def slopes(self, weight: Array, bias: Array) -> Array:
        """Their derivatives by the pre-activations."""
        return slope(weight @ self.z + bias[:, None], self.skeleton.layers[0])

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
    best, least, since = (weight, bias), _held_out(model, weight, bias, state), 0
    damping, growth, interrupted = 1e-2, 2.0, False
    enough = (tolerance / model.size) ** 2
    try:
        for iteration in range(iterations):
            normal, gradient = _normal_equations(model, weight, bias, state)
            scale = np.maximum(np.diag(normal), 1e-14 * np.diag(normal).max(initial=0.0)) + 1e-300
            accepted = False
            for _ in range(10):
                delta = _damped_step(normal, damping * scale, gradient)
                change = delta.reshape(weight.shape[0], -1)
                trial = _evaluate(model, weight + change[:, :-1], bias + change[:, -1])
                if trial.loss < state.loss:
                    expected = float(delta @ (damping * scale * delta - gradient)) / model.y.size
                    gain = (state.loss - trial.loss) / max(expected, 1e-300)
                    weight, bias, state = weight + change[:, :-1], bias + change[:, -1], trial
                    damping, growth = max(damping * max(1 / 3, 1 - (2 * min(gain, 1.0) - 1) ** 3), 1e-12), 2.0
                    accepted = True
                    break
                damping, growth = damping * growth, 2 * growth
            if not accepted:
                break
            held_out = _held_out(model, weight, bias, state)
            since += 1
            if held_out < least:
                best, least, since = (weight, bias), held_out, 0
            if report is not None:
                report(iteration + 1, state.loss, held_out)
            if since >= patience or held_out <= enough:
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
    """Factored designs of one hidden layer, one per job, and the loss."""

    designs: list["_Design"]
    loss: float


@final
@dataclass(frozen=True, eq=False)
class _Design:
    """Householder reflections of ``[F / norm, Y]`` over the rows that keep it well conditioned.

    A rejected layer needs nothing but the loss, which the triangular factor holds: basis and residuals
    are formed for accepted ones.
    """

    reflections: Array
    tau: Array
    norm: Array
    rows: int

    @classmethod
    def of(cls, F: Array, Y: Array) -> "_Design":
        """Factor features ``F`` (N, columns) with targets ``Y`` (N, outputs)."""
        rows, columns = F.shape
        norm = np.sqrt(np.einsum("nk,nk->k", F, F) / rows)
        norm = np.where(norm > 0, norm, 1.0)
        stacked = np.zeros((rows + columns, columns + Y.shape[1]), order="F")
        np.divide(F, norm, out=stacked[:rows, :columns])
        stacked[:rows, columns:] = Y
        stacked[rows + np.arange(columns), np.arange(columns)] = _FLOOR * np.sqrt(rows)
        reflections, tau, _, _ = _geqrf(stacked, lwork=32 * stacked.shape[1], overwrite_a=True)
        return cls(reflections, tau, norm, rows)

    @property
    def _columns(self) -> int:
        return self.norm.size

    @property
    def heads(self) -> Array:
        """Least-squares coefficients, shape (columns, outputs)."""
        k = self._columns
        solved = solve_triangular(self.reflections[:k, :k], self.reflections[:k, k:], check_finite=False)
        return solved / self.norm[:, None]

    @property
    def _left(self) -> Array:
        """Triangular factor of the residuals."""
        k = self._columns
        return np.triu(self.reflections[k : k + self.tau.size - k, k:])

    @property
    def squares(self) -> float:
        """Sum of squared residuals."""
        return float(np.sum(self._left**2))

    def basis_and_residuals(self) -> tuple[Array, Array]:
        """An orthonormal basis of the features (N, columns) and what they leave of the targets (N, outputs)."""
        k = self._columns
        Q, _, _ = _orgqr(self.reflections[:, : self.tau.size], self.tau, lwork=32 * self.tau.size)
        Q = Q[: self.rows]
        return Q[:, :k], -Q[:, k:] @ self._left


def _evaluate(model: _Model, weight: Array, bias: Array) -> _State:
    with np.errstate(all="ignore"):
        phi = model.features(model.hidden(weight, bias))
    if not np.isfinite(phi).all():
        return _State([], np.inf)
    designs = [_Design.of(design(phi, model.V[:, job], model.offset), model.y[:, job]) for job in model.jobs()]
    return _State(designs, sum(d.squares for d in designs) / model.y.size)


def _held_out(model: _Model, weight: Array, bias: Array, state: _State) -> float:
    """Mean squared error of the heads on held-out pairs."""
    check = model.check
    assert check is not None
    with np.errstate(all="ignore"):
        phi = check.features(check.hidden(weight, bias))
    squares = 0.0
    for job, factored in zip(model.jobs(), state.designs, strict=True):
        squares += float(np.sum((design(phi, check.V[:, job], model.offset) @ factored.heads - check.y[:, job]) ** 2))
    return squares / check.y.size if np.isfinite(squares) else np.inf


def _normal_equations(model: _Model, weight: Array, bias: Array, state: _State) -> tuple[Array, Array]:
    """``J^T J`` and ``J^T e`` of the projected residuals by weights and biases, unit by unit.

    Components that share a design share the projected derivatives of the hidden units too: theirs differ
    by the heads' factors alone.
    """
    z1 = np.concatenate([model.z, np.ones_like(model.z[:1])])
    slopes = model.slopes(weight, bias)
    width, inputs = slopes.shape[0], z1.shape[0]
    size = width * inputs
    normal, gradient = np.zeros((size, size)), np.zeros(size)
    first = 1 + (model.z.shape[0] if model.skeleton.linear else 0)
    for job, factored in zip(model.jobs(), state.designs, strict=True):
        basis, residuals = factored.basis_and_residuals()
        heads = factored.heads
        if not len(model.V):
            gains = np.repeat(heads[first:], inputs, axis=0)
            units = slopes
        else:
            blocks = heads.reshape(-1, first + width, 1)[:, first:, 0]
            factors = np.concatenate([np.ones_like(z1[:1])] * model.offset + [model.V[:, job][:, 0]])
            gains = np.ones((size, 1))
            units = slopes * (blocks.T @ factors)
        J = (units[:, None, :] * z1).reshape(size, -1)
        gradient += np.einsum("sc,sc->s", gains, J @ residuals)
        J -= (J @ basis) @ basis.T
        normal += (J @ J.T) * (gains @ gains.T)
    return normal, gradient


def _damped_step(normal: Array, damping: Array, gradient: Array) -> Array:
    """``-(J^T J + diag(damping))^-1 J^T e``; zero where round-off has left the matrix indefinite."""
    _, step, info = _posv(normal + np.diag(damping), -gradient)
    return np.zeros_like(gradient) if info else step
