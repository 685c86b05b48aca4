"""Ridge least squares along a whole path of ridges from one orthogonal factorisation."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.errors import AttnsError
from attns_core.types import Array

RIDGES = tuple(10.0**e for e in range(-28, 3, 2))
"""Ridges relative to the square of the largest singular value of the scaled design matrix."""


@final
@dataclass(frozen=True, eq=False)
class Factor:
    """The triangular factor of a design with its right-hand sides; rows can be added later.

    Normal equations square the condition number and lose everything below 1e-8 of the largest
    singular value; near-collinear features (stages, small bandwidths) live there, hence QR.

    Parameters
    ----------
    R : array, shape (rows, columns)
    Y : array, shape (rows, outputs)
    rows : int
        Pairs that went in.
    """

    R: Array
    Y: Array
    rows: int

    @classmethod
    def of(cls, F: Array, Y: Array) -> "Factor":
        """Factor the design ``F`` (N, columns) with right-hand sides ``Y`` (N, outputs)."""
        columns = F.shape[1]
        R: Any = np.linalg.qr(np.hstack([F, Y]), mode="r")
        kept = min(columns, R.shape[0])
        return cls(R[:kept, :columns], R[:kept, columns:], F.shape[0])

    def plus(self, F: Array, Y: Array) -> "Factor":
        """The factor with further rows."""
        more = Factor.of(np.vstack([self.R, F]), np.vstack([self.Y, Y]))
        return Factor(more.R, more.Y, self.rows + F.shape[0])

    def solve_each(self, ridge: Array) -> Array:
        """Coefficients with one known ridge per output, shape (columns, outputs); cheaper than a path."""
        # Imported here: every start would wait for it.
        from scipy.linalg import solve_triangular

        if np.any(ridge == 0):
            return solve_each(self.path(), ridge)
        top, columns = float(np.linalg.norm(self.R, 2)) if self.R.any() else 0.0, self.R.shape[1]
        if top == 0:
            return np.zeros((columns, ridge.size))
        out = np.empty((columns, ridge.size))
        for value in set(ridge.tolist()):
            mine = ridge == value
            padded = Factor.of(
                np.vstack([self.R, np.sqrt(value) * top * np.eye(columns)]),
                np.vstack([self.Y[:, mine], np.zeros((columns, int(mine.sum())))]),
            )
            out[:, mine] = solve_triangular(padded.R, padded.Y)
        return out

    def path(self) -> "Path":
        """Everything needed to solve for any ridge at the cost of a product."""
        left, s, right = np.linalg.svd(self.R, full_matrices=False)
        return Path(s, right, left.T @ self.Y, self.rows)


@final
@dataclass(frozen=True, eq=False)
class Path:
    """Singular values ``s``, right vectors and rotated right-hand sides of a :class:`Factor`."""

    s: Array
    right: Array
    c: Array
    rows: int

    def solve(self, ridge: float) -> Array:
        """Coefficients (columns, outputs) that minimise ``|F x - Y|^2 + ridge s_max^2 |x|^2``.

        Raises
        ------
        AttnsError
            Without a ridge, if there are fewer pairs than unknowns.
        """
        unknowns = self.right.shape[1]
        top = self.s[0] if self.s.size else 0.0
        if top == 0:
            return np.zeros((unknowns, self.c.shape[1]))
        if ridge > 0:
            filtered = self.s / (self.s**2 + ridge * top**2)
        else:
            if self.rows < unknowns:
                raise AttnsError(
                    f"{self.rows} training pairs cannot determine {unknowns} unknowns without a ridge; "
                    "use more trajectories, a smaller width, or a ridge above 0"
                )
            small = self.s <= top * np.finfo(float).eps * unknowns
            filtered = np.where(small, 0.0, 1 / np.where(small, 1.0, self.s))
        return self.right.T @ (filtered[:, None] * self.c)


def choose_ridge(path: Path, F: Array, Y: Array, ridges: tuple[float, ...]) -> tuple[Array, Array]:
    """The ridge of least held-out error for every output on its own.

    Parameters
    ----------
    F, Y : array, shape (N_held_out, columns) and (N_held_out, outputs)

    Returns
    -------
    ridge, error : array, shape (outputs,)
        Chosen ridge and its mean squared held-out error.
    """
    errors = np.stack([np.mean((F @ path.solve(ridge) - Y) ** 2, axis=0) for ridge in ridges])
    best = np.argmin(errors, axis=0)
    return np.asarray(ridges)[best], np.take_along_axis(errors, best[None], axis=0)[0]


def solve_each(path: Path, ridge: Array) -> Array:
    """Coefficients with one ridge per output, shape (columns, outputs)."""
    solutions = {value: path.solve(value) for value in set(ridge.tolist())}
    return np.stack([solutions[value][:, i] for i, value in enumerate(ridge.tolist())], axis=1)
