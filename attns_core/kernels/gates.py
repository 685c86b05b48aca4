"""Gates of a learned tableau: polynomials of the state, by which its weights change from lane to lane."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.kernels.corrector_arrays import monomial_table
from attns_core.kernels.form import Form
from attns_core.kernels.source import Source
from attns_core.kernels.vectors import explicit_bits

GATE_ARGUMENTS = "gate_mean, gate_rscale, gate_ranges, gate_constant, gate_linear, gate_heads, parents, variables"


@final
@dataclass(frozen=True)
class Gates:
    """The compiled-in part of ``count`` gates of a state of ``dim`` components.

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
        out.line(f"gate_rows = empty_rows({self.dim + self.count} * L, F)")
        out.line("products = empty_rows(parents.size * L, F)")

    def open(self, out: Source, form: Form) -> None:
        """Once per step: the state standardised and the gates' values, rows of ``gate_rows``."""
        self._define(out, form)
        with out.block(f"for r in range({self.dim})"):
            out.lines(["mean = gate_mean[r]", "rscale = gate_rscale[r]"])
            if self.limited:
                out.lines(["least = gate_ranges[0, r]", "greatest = gate_ranges[1, r]"])
            with out.block("for l in range(L)"):
                out.line("z = (w[r * L + l] - mean) * rscale")
                if self.limited:
                    out.lines(["z = least if z < least else z", "z = greatest if z > greatest else z"])
                out.line("gate_rows[r * L + l] = z")
        numbers = "gate_constant, gate_linear, gate_heads, parents, variables"
        out.line(f"done = gate(gate_rows, 0, {self.dim}, products, {numbers})")

    def combine(self, out: Source, row: str, sets: int, place: str) -> None:
        """The weights of a row, from place ``place`` of ``mine`` on, counted in terms."""
        first, last = f"starts[{row}] * {sets}", f"starts[{row} + 1] * {sets}"
        out.line(f"done = combine(mine, {place} * {sets}, weights, {first}, {last}, gate_rows, {self.dim})")

    def _define(self, out: Source, form: Form) -> None:
        given = {"dtype": form.dtype, "lanes": form.lanes, "vector_bits": explicit_bits(form.vector_bits)}
        same = ", ".join(f"{name}={value!r}" for name, value in given.items())
        out.define(
            [
                "from attns_core.kernels.gated_weights import gated_weights",
                "from attns_core.kernels.monomial_layer import monomial_layer",
                f"gate = monomial_layer(n_out={self.count}, n_linear={self.dim}, {same})",
                f"combine = gated_weights(gates={self.count}, {same})",
            ]
        )


def gate_arrays(
    *, mean: Any, scale: Any, lower: Any, upper: Any, weight: Any, bias: Any, exponents: Any, dtype: str
) -> tuple[Any, ...]:
    """The numbers of gates ``weight @ (z, monomials of z) + bias`` as the kernel's arguments (``GATE_ARGUMENTS``)."""
    n_in = len(mean)
    heads = np.asarray(weight, dtype=np.float64).T
    none = np.zeros((0, n_in), dtype=np.int64)
    parents, variables, rows = monomial_table(none if exponents is None else np.asarray(exponents), heads[n_in:])
    ranges = np.zeros((2, n_in))
    if lower is not None:
        ranges[0], ranges[1] = (lower - mean) / scale, (upper - mean) / scale
    numbers = (mean, 1.0 / np.asarray(scale, dtype=np.float64), ranges, bias, heads[:n_in], rows)
    return (*(np.ascontiguousarray(array, dtype=dtype) for array in numbers), parents, variables)
