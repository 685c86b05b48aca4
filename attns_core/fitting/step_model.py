"""The steps of training pairs as a function of the weights inside them, with derivatives.

Row ``l`` of the weights combines the stages before it, ``v_l = u + dt sum_{j<l} w_lj k_j`` and
``k_l = f(t + c_l dt, v_l)``; the last row makes the increment. Derivatives come backwards through the
stages, one Jacobian of the right-hand side per stage.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeAlias, final

import numpy as np

from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.linearisation import Linearisation
from attns_core.method import ExplicitRungeKutta
from attns_core.types import Array

Rows: TypeAlias = list[Array]
"""Row ``l`` has the shape ``(l, dim)``: weights of the evaluated stages before it; the last row is the increment's.

Steps are made with weights of each pair's own too, rows of the shape ``(l, dim, n)``.
"""

_MOST_WEIGHTS = 2500
CHUNK = 128
"""Pairs whose derivatives by all weights are made at a time."""
_MANY = 4096
"""Pairs that are stepped at a time where their stages are not kept."""


@final
@dataclass(frozen=True, eq=False)
class Derivatives:
    """Residuals (m,) and their derivatives (m, unknowns)."""

    residuals: Array
    J: Array

    def square(self) -> Array:
        """``J.T @ J``."""
        return self.J.T @ self.J

    def times(self, x: Array) -> Array:
        """``J @ x``."""
        return self.J @ x

    def transposed(self, r: Array) -> Array:
        """``J.T @ r``."""
        return self.J.T @ r


@final
@dataclass(eq=False)
class StepModel:
    """The steps of a dataset's pairs as a function of the weights inside them.

    Parameters
    ----------
    data : Dataset
    lin : Linearisation
        Of the dataset's equation.
    weight : array, shape (n,), optional
        What each pair's error is multiplied by (default: 1).
    blocks : int, optional
        Blocks of neighbouring components, as equal as can be, each of which has one set of weights (default: every
        component its own).
    """

    data: Dataset
    lin: Linearisation
    weight: Array | None = None
    blocks: int | None = None

    def __post_init__(self) -> None:
        method = self.data.method
        if not isinstance(method, ExplicitRungeKutta):
            raise AttnsError(f"a learned tableau needs an explicit Runge-Kutta method; {method.name} is none")
        self.tableau = method.tableau
        self.stages = np.flatnonzero(self.tableau.needed)
        """The stages that are evaluated."""
        dim = self.data.dim
        self.sets = min(dim, dim if self.blocks is None else self.blocks)
        """Sets of weights."""
        self.block = np.arange(dim) * self.sets // dim
        """The block of each component."""
        self.n_weights = self.sets * sum(range(1, len(self.stages) + 1))
        if self.n_weights > _MOST_WEIGHTS:
            raise AttnsError(
                f"{self.n_weights} weights of {method.name} on {dim} components are too many for dense derivatives "
                f"(at most {_MOST_WEIGHTS}); use a method of fewer stages, or fewer blocks of components"
            )

    @property
    def title(self) -> str:
        return "shared weights" if self.sets == 1 else f"{self.sets} sets of weights"

    def bare(self) -> Rows:
        """The method's own weights."""
        a, b, kept = self.tableau.a, self.tableau.b, self.stages
        rows = [a[i, kept[:n]] for n, i in enumerate(kept) if n] + [b[kept]]
        return [np.repeat(row[:, None], self.data.dim, axis=1) for row in rows]

    def added(self, rows: Rows) -> Array:
        """What ``rows`` add to the method's tableau, shape (stages + 1, stages, dim)."""
        s = self.tableau.stages
        out = np.zeros((s + 1, s, self.data.dim))
        for place, row, bare in zip([*self.stages[1:], s], rows, self.bare(), strict=True):
            out[place, self.stages[: len(row)]] = row - bare
        return out

    def combined(self, row: Array, k: list[Array]) -> Array:
        """``sum_j w_j k_j`` (dim, n)."""
        weights = row[..., None] if row.ndim == 2 else row
        return sum((w * k_j for w, k_j in zip(weights, k, strict=True)), np.zeros_like(k[0]))

    def stage(self, n: int, v: Array) -> Array:
        """The right-hand side at states ``v`` of the ``n``-th evaluated stage."""
        return self.lin.rhs(self._time(n), v)

    def _time(self, n: int) -> Array:
        return self.data.t + self.tableau.c[self.stages[n]] * self.data.dt

    def forward(self, rows: Rows) -> tuple[Array, list[Array], list[Array]]:
        """Increments (dim, n), the stages' states and the stages."""
        states, k = [self.data.u], [self.stage(0, self.data.u)]
        for n, row in enumerate(rows[:-1], start=1):
            states.append(self.data.u + self.data.dt * self.combined(row, k))
            k.append(self.stage(n, states[-1]))
        return self.data.dt * self.combined(rows[-1], k), states, k

    def residuals(self, rows: Rows) -> Array:
        """Errors of the steps in the dataset's units, weighted, shape (dim, n)."""
        return self._weighted(self.forward(rows)[0])

    def _weighted(self, increments: Array) -> Array:
        errors = (increments - (self.data.S + self.data.r)) / self.data.scale[:, None]
        return errors if self.weight is None else self.weight * errors

    def loss(self, rows: Rows) -> float:
        """Mean squared error of the step; infinite where it is not a number."""
        with np.errstate(all="ignore"):
            value = float(np.mean(self._squares(rows)))
        return value if np.isfinite(value) else np.inf

    def sizes(self, rows: Rows) -> Array:
        """Root mean square error of each pair's step, shape (n,); not finite where the step is not."""
        return np.sqrt(self._squares(rows))

    def _squares(self, rows: Rows) -> Array:
        """Mean squared error of each pair's step, shape (n,)."""
        with np.errstate(all="ignore"):
            return np.concatenate([np.mean(self.part(some).residuals(rows) ** 2, axis=0) for some in self.parts()])

    def parts(self) -> list[slice]:
        """The pairs in parts that are stepped at a time."""
        return [slice(first, first + _MANY) for first in range(0, self.data.n, _MANY)]

    def linearised(self, rows: Rows) -> Derivatives:
        """Residuals (n * dim,) and their derivatives by the weights, ordered as :meth:`packed`."""
        dim = self.data.dim
        residuals, J = np.empty((self.data.n, dim)), np.empty((self.data.n, dim, self.n_weights))
        for first in range(0, self.data.n, CHUNK):
            part = slice(first, first + CHUNK)
            residuals[part] = self.part(part).derivatives(rows, J[part]).T
        return Derivatives(residuals.ravel(), J.reshape(-1, self.n_weights))

    def part(self, pairs: slice) -> "StepModel":
        """Some of the pairs, in the units of all."""
        weight = None if self.weight is None else self.weight[pairs]
        return replace(self, data=replace(self.data.take(pairs), units=self.data.scale), weight=weight)

    def derivatives(self, rows: Rows, out: Array) -> Array:
        """Those of the residuals by the weights, into ``out`` (n, dim, n_weights), and the residuals (dim, n)."""
        data, dim = self.data, self.data.dim
        increments, states, k = self.forward(rows)
        stacked = np.stack(k)
        # g[n, l - 1, c, d]: residual c of pair n by component d of what row l combines.
        g = np.empty((data.n, len(rows), dim, dim))
        g[:, -1] = np.diag(data.dt / data.scale)
        if self.weight is not None:
            g[:, -1] *= self.weight[:, None, None]
        for n in range(len(rows) - 1, 0, -1):
            by_stage = _by_stage(n, rows, g)
            g[:, n - 1] = data.dt * (by_stage @ self.lin.jacobian(self._time(n), states[n]))
        first = 0
        for n in range(1, len(rows) + 1):
            before = stacked[:n].transpose(2, 0, 1)
            own = out[:, :, first : first + n * self.sets].reshape(data.n, dim, n, self.sets)
            if self.sets == dim:
                np.multiply(g[:, n - 1, :, None, :], before[:, None], out=own)
            else:
                for i, d in enumerate(self._members()):
                    own[..., i] = g[:, n - 1, :, d] @ before[:, :, d].transpose(0, 2, 1)
            first += n * self.sets
        return self._weighted(increments)

    def _members(self) -> list[slice]:
        """The components of each block."""
        ends = np.searchsorted(self.block, np.arange(self.sets + 1))
        return [slice(first, last) for first, last in pairwise(ends)]

    def packed(self, rows: Rows) -> Array:
        """The unknowns in one vector; of weights that a block shares, the means over its components."""
        return np.concatenate([np.stack([row[:, d].mean(axis=1) for d in self._members()], 1).ravel() for row in rows])

    def unpacked(self, x: Array) -> Rows:
        """The rows of :meth:`packed`."""
        rows: Rows = []
        first, n = 0, 1
        while first < x.size:
            rows.append(x[first : first + n * self.sets].reshape(n, self.sets)[:, self.block])
            first, n = first + n * self.sets, n + 1
        return rows


def _by_stage(n: int, rows: Rows, g: Array) -> Array:
    """Derivatives (n_pairs, c, d) by the ``n``-th stage: those by the rows after it, times its weight in each."""
    later = rows[n:]
    if later[0].ndim == 3 and later[0].shape[1] == 1:
        # A product per pair passes through memory once; the sum below does so five times.
        weights = np.stack([row[n, 0] for row in later], axis=1)
        return (weights[:, None] @ g[:, n:].reshape(*weights.shape, -1)).reshape(g[:, 0].shape)
    return sum((g[:, m] * _of_pairs(rows[m][n]) for m in range(n, len(rows))), np.zeros_like(g[:, 0]))


def _of_pairs(weight: Array) -> Array:
    """Weights (dim,) of all pairs, or (dim, n) of each, as factors of (n, c, dim)."""
    return weight if weight.ndim == 1 else weight.T[:, None]
