"""Queries of a learned tableau: polynomials of the state, by which its weights change from lane to lane."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.kernels.corrector_arrays import monomial_table
from attns_core.kernels.form import Form
from attns_core.kernels.source import Source
from attns_core.kernels.vectors import explicit_bits

QUERY_ARGUMENTS = (
    "query_mean, query_rscale, query_ranges, query_constant, query_linear, query_heads, parents, variables"
)


@final
@dataclass(frozen=True)
class Queries:
    """The compiled-in part of ``count`` queries of a state of ``dim`` components.

    Parameters
    ----------
    count, dim : int
    limited : bool
        Standardised components are cut to ranges.
    """

    count: int
    dim: int
    limited: bool

    def prologue(self, out: Source, sets: int) -> None:
        """Once per call: arrays. The weights of two rows are ``mine`` and ``later``, each a row of lanes."""
        out.line("most = starts[stages + 1] - starts[stages]")
        out.line("kept = slots[starts[stages] : starts[stages + 1]]")
        out.line(f"mine = empty_rows(2 * most * {sets} * L, F)")
        out.line(f"later = mine[most * {sets} * L : 2 * most * {sets} * L]")
        out.line(f"query_rows = empty_rows({self.dim + self.count} * L, F)")
        out.line("products = empty_rows(parents.size * L, F)")

    def ask(self, out: Source, form: Form) -> None:
        """Once per step: the state standardised and the queries' values, rows of ``query_rows``."""
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
        numbers = "query_constant, query_linear, query_heads, parents, variables"
        out.line(f"done = query(query_rows, 0, {self.dim}, products, {numbers})")

    def combine(self, out: Source, row: str, sets: int, place: str) -> None:
        """The weights of a row, from place ``place`` of ``mine`` on, counted in terms."""
        first, last = f"starts[{row}] * {sets}", f"starts[{row} + 1] * {sets}"
        out.line(f"done = combine(mine, {place} * {sets}, weights, {first}, {last}, query_rows, {self.dim})")

    def _define(self, out: Source, form: Form) -> None:
        given = {"dtype": form.dtype, "lanes": form.lanes, "vector_bits": explicit_bits(form.vector_bits)}
        same = ", ".join(f"{name}={value!r}" for name, value in given.items())
        out.define(
            [
                "from attns_core.kernels.attentive_weights import attentive_weights",
                "from attns_core.kernels.monomial_layer import monomial_layer",
                f"query = monomial_layer(n_out={self.count}, n_linear={self.dim}, {same})",
                f"combine = attentive_weights(queries={self.count}, {same})",
            ]
        )


def query_arrays(
    *, mean: Any, scale: Any, lower: Any, upper: Any, weight: Any, bias: Any, exponents: Any, dtype: str
) -> tuple[Any, ...]:
    """The numbers of queries ``weight @ (z, monomials of z) + bias`` as the kernel takes them (``QUERY_ARGUMENTS``)."""
    n_in = len(mean)
    heads = np.asarray(weight, dtype=np.float64).T
    none = np.zeros((0, n_in), dtype=np.int64)
    parents, variables, rows = monomial_table(none if exponents is None else np.asarray(exponents), heads[n_in:])
    ranges = np.zeros((2, n_in))
    if lower is not None:
        ranges[0], ranges[1] = (lower - mean) / scale, (upper - mean) / scale
    numbers = (mean, 1.0 / np.asarray(scale, dtype=np.float64), ranges, bias, heads[:n_in], rows)
    return (*(np.ascontiguousarray(array, dtype=dtype) for array in numbers), parents, variables)
