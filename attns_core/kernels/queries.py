"""Queries of a learned tableau: polynomials of the state, by which its weights change from lane to lane."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.kernels.corrector_arrays import monomial_table
from attns_core.kernels.form import Form
from attns_core.kernels.quadratics import quadratic_tables
from attns_core.kernels.source import Source
from attns_core.kernels.vectors import explicit_bits


@final
@dataclass(frozen=True)
class Queries:
    """The compiled-in part of ``count`` queries of a state of ``dim`` components.

    Parameters
    ----------
    count, dim : int
    limited : bool
        Standardised components are cut to ranges.
    quadratic : bool
        The polynomials have total degree 2 at most.
    """

    count: int
    dim: int
    limited: bool
    quadratic: bool

    @property
    def arguments(self) -> str:
        """Names of the arrays of :func:`query_arrays`."""
        names = "query_mean, query_rscale, query_ranges, query_constant, query_linear, query_heads"
        return names if self.quadratic else f"{names}, parents, variables"

    def prologue(self, out: Source, sets: int) -> None:
        """Once per call: arrays. ``mine`` are the weights, each a row of lanes."""
        out.line(f"mine = empty_rows(starts[stages + 1] * {sets} * L, F)")
        out.line(f"query_rows = empty_rows({self.dim + self.count} * L, F)")
        if not self.quadratic:
            out.line("products = empty_rows(parents.size * L, F)")

    def attend(self, out: Source, form: Form, sets: int) -> None:
        """Once per step: the state standardised, the queries' values, and the weights that they open."""
        self._define(out, form)
        with out.block(f"for r in range({self.dim})"):
            out.lines(["mean = query_mean[r]", "rscale = query_rscale[r]"])
            if self.limited:
                out.lines(["least = query_ranges[0, r]", "greatest = query_ranges[1, r]"])
            with out.block("for l in range(L)"):
                out.line("z = (w[r * L + l] - mean) * rscale")
                if self.limited:
                    out.lines(["z = least if z < least else z", "z = greatest if z > greatest else z"])
                out.line("query_rows[r * L + l] = z")
        numbers = "query_constant, query_linear, query_heads"
        if not self.quadratic:
            numbers = f"products, {numbers}, parents, variables"
        out.line(f"done = query(query_rows, 0, {self.dim}, {numbers})")
        out.line(f"done = combine(mine, weights, starts[stages + 1] * {sets}, query_rows, {self.dim})")

    def _define(self, out: Source, form: Form) -> None:
        given = {"dtype": form.dtype, "lanes": form.lanes, "vector_bits": explicit_bits(form.vector_bits)}
        same = ", ".join(f"{name}={value!r}" for name, value in given.items())
        query = [
            "from attns_core.kernels.monomial_layer import monomial_layer",
            f"query = monomial_layer(n_out={self.count}, n_linear={self.dim}, {same})",
        ]
        if self.quadratic:
            query = [
                "from attns_core.kernels.quadratics import quadratics",
                f"query = quadratics(count={self.count}, dim={self.dim}, {same})",
            ]
        combine = f"combine = attentive_weights(queries={self.count}, {same})"
        out.define(["from attns_core.kernels.attentive_weights import attentive_weights", *query, combine])


def is_quadratic(exponents: Any) -> bool:
    """Whether monomials have total degree 2 at most."""
    return exponents is None or int(np.sum(exponents, axis=1).max(initial=0)) <= 2


def query_arrays(
    *, mean: Any, scale: Any, lower: Any, upper: Any, weight: Any, bias: Any, exponents: Any, dtype: str
) -> tuple[Any, ...]:
    """The numbers of queries ``weight @ (z, monomials of z) + bias`` as the kernel takes them."""
    n_in = len(mean)
    heads = np.asarray(weight, dtype=np.float64).T
    known = np.zeros((0, n_in), dtype=np.int64) if exponents is None else np.asarray(exponents)
    ranges = np.zeros((2, n_in))
    if lower is not None:
        ranges[0], ranges[1] = (lower - mean) / scale, (upper - mean) / scale
    linear: Any = heads[:n_in]
    indices: list[Any] = []
    if is_quadratic(exponents):
        linear, rows = quadratic_tables(known, linear, heads[n_in:])
    else:
        *indices, rows = monomial_table(known, heads[n_in:])
    numbers = (mean, 1.0 / np.asarray(scale, dtype=np.float64), ranges, bias, linear, rows)
    return (*(np.ascontiguousarray(array, dtype=dtype) for array in numbers), *indices)
