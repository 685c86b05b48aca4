"""The steps of training pairs as a function of attentive weights: the model of :mod:`step_model` where states differ.

The weights of a pair are ``sum_m phi_m w_m`` with the features ``phi = (1, queries)`` of its state. Derivatives by the
weights ``w_m`` are those by the pair's own weights times a feature; queries are linear in their coefficients.
"""

from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from attns_core.errors import AttnsError
from attns_core.fitting.monomials import monomial_values
from attns_core.fitting.skeleton import monomials, standardisation
from attns_core.fitting.step_model import CHUNK, Rows, StepModel
from attns_core.trained_corrector import Layer, TrainedCorrector
from attns_core.types import Array

AttentiveRows: TypeAlias = tuple[list[Rows], Array]
"""Rows by each feature, and the queries' coefficients ``(queries, n_basis)``."""

_MOST_UNKNOWNS = 6000


@final
@dataclass(frozen=True, eq=False)
class QueryBasis:
    """What queries are linear combinations of: the standardised state and its monomials up to a degree.

    Parameters
    ----------
    mean, scale : array, shape (dim,)
    exponents : integer array, shape (n_monomials, dim), optional
    lower, upper : array, shape (dim,), optional
        The range that states are cut to first.
    """

    mean: Array
    scale: Array
    exponents: Array | None
    lower: Array | None = None
    upper: Array | None = None

    @classmethod
    def of(cls, u: Array, degree: int, margin: float | None) -> "QueryBasis":
        """That of states (dim, n), their range widened by the fraction ``margin`` of it at both ends."""
        mean, scale = standardisation(u)
        lower, upper = u.min(axis=1), u.max(axis=1)
        if margin is None:
            return cls(mean, scale, monomials(len(u), degree))
        more = margin * (upper - lower)
        return cls(mean, scale, monomials(len(u), degree), lower - more, upper + more)

    @property
    def size(self) -> int:
        return self.mean.size + (0 if self.exponents is None else len(self.exponents))

    def values(self, u: Array) -> Array:
        """Of states (dim, n), shape (n_basis, n)."""
        if self.lower is not None and self.upper is not None:
            u = np.clip(u, self.lower[:, None], self.upper[:, None])
        z = (u - self.mean[:, None]) / self.scale[:, None]
        return z if self.exponents is None else np.concatenate([z, monomial_values(z, self.exponents)])


@final
@dataclass(eq=False)
class AttentiveModel:
    """The steps of a model's pairs with weights that ``count`` queries combine.

    Raises
    ------
    AttnsError
        If there are more than 6000 unknowns.
    """

    step: StepModel
    basis: QueryBasis
    count: int

    def __post_init__(self) -> None:
        self.n_unknowns = (1 + self.count) * self.step.n_weights + self.count * self.basis.size
        if self.n_unknowns > _MOST_UNKNOWNS:
            raise AttnsError(
                f"{self.count} queries of {self.basis.size} coefficients on {self.step.n_weights} weights have "
                f"{self.n_unknowns} unknowns, too many for dense derivatives (at most {_MOST_UNKNOWNS}); use fewer "
                "queries, a lower degree, or a method of fewer stages"
            )

    @property
    def title(self) -> str:
        return f"{self.step.title}, {self.count} quer{'ies' if self.count > 1 else 'y'}"

    def begun(self, rows: Rows, seed: int) -> AttentiveRows:
        """Queries that add nothing to ``rows`` yet: the first says best which pairs are hard, others are random."""
        rng = np.random.default_rng([seed, 13])
        coefficients = rng.standard_normal((self.count, self.basis.size)) / np.sqrt(self.basis.size)
        sizes = self.step.sizes(rows)
        known = np.isfinite(sizes)
        values = self.basis.values(self.step.data.u[:, known])
        # A fourth root, since errors differ by factors of thousands.
        hard = np.sqrt(sizes[known])
        design = np.concatenate([values, np.ones_like(values[:1])]).T
        coefficients[0] = np.linalg.lstsq(design, np.sqrt(hard / (hard.std() or 1.0)), rcond=None)[0][:-1]
        rows = self.step.unpacked(self.step.packed(rows))
        return [rows, *([np.zeros_like(row) for row in rows] for _ in range(self.count))], coefficients

    def combined(self, weights: AttentiveRows) -> Rows:
        """The rows of each pair's own, shapes (l, dim or 1, n)."""
        return self._of_pairs(weights[0], self._queries(weights[1]))

    def residuals(self, weights: AttentiveRows) -> Array:
        """Errors of the steps in the dataset's units, weighted, shape (dim, n)."""
        return self.step.residuals(self.combined(weights))

    def sizes(self, weights: AttentiveRows) -> Array:
        """Root mean square error of each pair's step, shape (n,); not finite where the step is not."""
        parts = (self._part(some) for some in self.step.parts())
        with np.errstate(all="ignore"):
            return np.sqrt(np.concatenate([np.mean(part.residuals(weights) ** 2, axis=0) for part in parts]))

    def loss(self, weights: AttentiveRows) -> float:
        """Mean squared error of the step; infinite where it is not a number."""
        with np.errstate(all="ignore"):
            value = float(np.mean(self.sizes(weights) ** 2))
        return value if np.isfinite(value) else np.inf

    def jacobian(self, weights: AttentiveRows) -> tuple[Array, Array]:
        """Residuals (n * dim,) and their derivatives by the unknowns, ordered as :meth:`packed`."""
        n, dim, own = self.step.data.n, self.step.data.dim, self.step.n_weights
        residuals, J = np.empty((n, dim)), np.empty((n, dim, self.n_unknowns))
        packed = [self.step.packed(rows) for rows in weights[0]]
        by_own = np.empty((CHUNK, dim, own))
        for first in range(0, n, CHUNK):
            part = slice(first, first + CHUNK)
            model, out = self._part(part), J[part]
            some = by_own[: len(out)]
            queries = model._queries(weights[1])
            residuals[part] = model.step.derivatives(model._of_pairs(weights[0], queries), some).T
            out[:, :, :own] = some
            basis = model.basis.values(model.step.data.u).T
            for m, query in enumerate(queries):
                np.multiply(some, query[:, None, None], out=out[:, :, (1 + m) * own : (2 + m) * own])
                begin = (1 + self.count) * own + m * self.basis.size
                by_query = some @ packed[1 + m]
                np.multiply(by_query[:, :, None], basis[:, None], out=out[:, :, begin : begin + self.basis.size])
        return residuals.ravel(), J.reshape(-1, self.n_unknowns)

    def packed(self, weights: AttentiveRows) -> Array:
        """The unknowns in one vector: weights by feature, then the queries' coefficients."""
        return np.concatenate([*(self.step.packed(rows) for rows in weights[0]), weights[1].ravel()])

    def unpacked(self, x: Array) -> AttentiveRows:
        """The weights of :meth:`packed`."""
        end = (1 + self.count) * self.step.n_weights
        rows = [self.step.unpacked(part) for part in x[:end].reshape(1 + self.count, -1)]
        return rows, x[end:].reshape(self.count, -1)

    def trained(self, weights: AttentiveRows) -> TrainedCorrector:
        """The weights as a learned tableau."""
        coefficients, basis = weights[1], self.basis
        layer = Layer(weight=coefficients, bias=np.zeros(self.count), activation="identity", shape=np.empty(0))
        own, *of_queries = weights[0]
        nothing = self.step.added([np.zeros_like(row) for row in own])
        return TrainedCorrector(
            input="u",
            mean=basis.mean,
            scale=basis.scale,
            layers=(layer,),
            exponents=basis.exponents,
            linear=False,
            lower=basis.lower,
            upper=basis.upper,
            tableau=np.stack([self.step.added(own), *(self.step.added(rows) - nothing for rows in of_queries)]),
        )

    def _queries(self, coefficients: Array) -> Array:
        """Values of the queries, shape (count, n)."""
        return coefficients @ self.basis.values(self.step.data.u)

    def _of_pairs(self, by_feature: list[Rows], queries: Array) -> Rows:
        # One weight does for all components that share it.
        some = slice(1 if self.step.sets == 1 else None)
        (own, *of_queries), rows = by_feature, []
        for i, row in enumerate(own):
            parts = (features[i][:, some, None] * query for features, query in zip(of_queries, queries, strict=True))
            rows.append(sum(parts, row[:, some, None]))
        return rows

    def _part(self, pairs: slice) -> "AttentiveModel":
        return AttentiveModel(self.step.part(pairs), self.basis, self.count)
