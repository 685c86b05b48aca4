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
_PAIRS, _TILE = 32, 32
"""Pairs and rows whose squares of derivatives are made at a time: they are to stay in a cache."""


@final
@dataclass(frozen=True, eq=False)
class QueryBasis:
    """What queries are linear combinations of: the standardised state and its monomials up to a degree.

    Parameters
    ----------
    mean, scale : array, shape (dim,)
    exponents : integer array, shape (n_monomials, dim), optional
    """

    mean: Array
    scale: Array
    exponents: Array | None

    @classmethod
    def of(cls, u: Array, degree: int) -> "QueryBasis":
        """That of states (dim, n)."""
        return cls(*standardisation(u), monomials(len(u), degree))

    @property
    def size(self) -> int:
        return self.mean.size + (0 if self.exponents is None else len(self.exponents))

    def values(self, u: Array) -> Array:
        """Of states (dim, n), shape (n_basis, n)."""
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

    def linearised(self, weights: AttentiveRows) -> "AttentiveDerivatives":
        """Residuals (n * dim,) and their derivatives by the unknowns, ordered as :meth:`packed`."""
        n, dim, own = self.step.data.n, self.step.data.dim, self.step.n_weights
        residuals, by_own = np.empty((n, dim)), np.empty((n, dim, own))
        packed = np.stack([self.step.packed(rows) for rows in weights[0][1:]], axis=1)
        basis = self.basis.values(self.step.data.u)
        queries = weights[1] @ basis
        for first in range(0, n, CHUNK):
            part = slice(first, first + CHUNK)
            rows = self._of_pairs(weights[0], queries[:, part])
            residuals[part] = self.step.part(part).derivatives(rows, by_own[part]).T
        phi = np.concatenate([np.ones_like(queries[:1]), queries])
        return AttentiveDerivatives(residuals.ravel(), by_own, phi, by_own @ packed, basis)

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


@final
@dataclass(frozen=True, eq=False)
class AttentiveDerivatives:
    """Derivatives that are products, and kept as such: as one matrix they would be several times as large.

    Parameters
    ----------
    residuals : array, shape (n * dim,)
    by_own : array, shape (n, dim, n_weights)
        By each pair's own weights: by those of feature ``m`` they are ``phi_m`` times as much.
    phi : array, shape (1 + queries, n)
    by_query : array, shape (n, dim, queries)
        By the queries' values: by coefficient ``b`` they are ``basis_b`` times as much.
    basis : array, shape (n_basis, n)
    """

    residuals: Array
    by_own: Array
    phi: Array
    by_query: Array
    basis: Array

    def square(self) -> Array:
        """``J.T @ J``."""
        n, _, own = self.by_own.shape
        features, queries = len(self.phi), self.by_query.shape[2]
        first, second = np.triu_indices(features)
        blocks = np.empty((features, own, features, own))
        for a, b, square in zip(first, second, self._squares(self.phi[first] * self.phi[second]), strict=True):
            blocks[a, :, b] = blocks[b, :, a] = square
        # Of each pair, weights and queries together: (n, n_weights, queries) and (n, queries, queries).
        mixed = self.by_own.transpose(0, 2, 1) @ self.by_query
        both = self.by_query.transpose(0, 2, 1) @ self.by_query
        # Feature by feature: as one einsum of three operands it would not be matrix products.
        of_pairs = mixed.reshape(n, -1)
        across = np.stack([(of_pairs * phi[:, None]).T @ self.basis.T for phi in self.phi])
        alone = [[self.basis * both[:, m, k] @ self.basis.T for k in range(queries)] for m in range(queries)]
        size = features * own
        across = across.reshape(size, -1)
        return np.block([[blocks.reshape(size, size), across], [across.T, np.block(alone)]])

    def _squares(self, weights: Array) -> Array:
        """``sum_n w_n D_n.T @ D_n`` for each row of ``weights`` (m, n), shape (m, n_weights, n_weights).

        The square of a pair's derivatives is made once for all of them, a tile at a time, up to the diagonal.
        """
        n, _, own = self.by_own.shape
        squares = np.empty((len(weights), own, own))
        for start in range(0, own, _TILE):
            rows, end = slice(start, start + _TILE), min(start + _TILE, own)
            tile = np.zeros((len(weights), (end - start) * end))
            for pair in range(0, n, _PAIRS):
                pairs = slice(pair, pair + _PAIRS)
                D = self.by_own[pairs]
                tile += weights[:, pairs] @ (D[:, :, rows].transpose(0, 2, 1) @ D[:, :, :end]).reshape(len(D), -1)
            squares[:, rows, :end] = tile.reshape(-1, end - start, end)
            squares[:, :start, rows] = squares[:, rows, :start].transpose(0, 2, 1)
        return squares

    def times(self, x: Array) -> Array:
        """``J @ x``."""
        n, dim, own = self.by_own.shape
        size = len(self.phi) * own
        by_feature = (self.by_own.reshape(-1, own) @ x[:size].reshape(-1, own).T).reshape(n, dim, -1)
        changes = x[size:].reshape(-1, len(self.basis)) @ self.basis
        return (np.einsum("ncm,mn->nc", by_feature, self.phi) + np.einsum("ncm,mn->nc", self.by_query, changes)).ravel()

    def transposed(self, r: Array) -> Array:
        """``J.T @ r``."""
        n, dim, own = self.by_own.shape
        r = r.reshape(n, dim)
        by_feature = np.einsum("nc,mn->mnc", r, self.phi).reshape(len(self.phi), -1) @ self.by_own.reshape(-1, own)
        by_query = np.einsum("ncm,nc->mn", self.by_query, r) @ self.basis.T
        return np.concatenate([by_feature.ravel(), by_query.ravel()])
