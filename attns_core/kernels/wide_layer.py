r"""A hidden layer with many inputs or outputs, on explicit vectors: two matrix products in tiles.

A tile is a few rows times a few vectors of lanes, with its sums in registers; so each number that is fetched
takes part in several multiplications. Units are computed in groups whose activated values stay in the
nearest cache until the second product has used them up, and no layer is ever stored as a whole. Sums
are taken in the order of the units, whatever the block.
"""

from collections.abc import Callable
from typing import Any

from numba.core import cgutils

from attns_core.kernels.layer_function import Given, layer_function
from attns_core.kernels.unit_layer import UNITS
from attns_core.kernels.vector_arithmetic import Vectors

GROUP = 96
"""Units of a group (measured: 64 and 128 are 2 and 10 % slower)."""
VECTORS = 3
"""Vectors of lanes of a tile; with 8 rows (4 where there are 16 registers) its sums fill the registers."""


def tile_rows(vector_bits: int) -> int:
    """Rows of a tile: units of the first product, sums of the second."""
    return 8 if vector_bits == 512 else 4


def wide_layer(
    *, n_in: int, n_out: int, n_linear: int, activation: str, dtype: str, lanes: int, vector_bits: int
) -> Any:
    """The same function as :func:`attns_core.kernels.unit_layer.unit_layer`."""
    bits = 64 if dtype == "float64" else 32
    width = next(w for w in (512 // bits, 256 // bits, 128 // bits, 1) if w * bits <= vector_bits and lanes % w == 0)
    n_vectors = next(n for n in (VECTORS, 2, 1) if lanes % (n * width) == 0)
    n_rows = tile_rows(vector_bits)

    def write(v: Vectors, intp: Any, given: Given) -> None:
        builder = v.builder
        # Turned into registers by the compiler.
        slots = [[cgutils.alloca_once(builder, v.type) for _ in range(n_vectors)] for _ in range(n_rows)]
        active = cgutils.alloca_once(builder, v.scalar, size=GROUP * n_vectors * width)
        active.align = 64

        def product(
            rows: int, begin: Any, terms: Any, factor: Callable[[Any, int], Any], values: Callable[[Any], Any]
        ) -> list[list[Any]]:
            """Add ``factor(term, row) * values(term)`` to the vectors in ``begin``, over the terms."""
            for row in range(rows):
                for slot, value in zip(slots[row], begin(row), strict=True):
                    builder.store(value, slot)
            with cgutils.for_range_slice(builder, intp(0), terms, intp(1)) as (term, _):
                fetched = values(term)
                for row in range(rows):
                    one = factor(term, row)
                    for slot, value in zip(slots[row], fetched, strict=True):
                        v.accumulate(one, value, slot)
            return [[builder.load(slot) for slot in slots[row]] for row in range(rows)]

        def index(*terms: Any) -> Any:
            total, *others = terms
            for other in others:
                total = builder.add(total, other)
            return total

        def times(a: Any, b: int) -> Any:
            return builder.mul(a, intp(b))

        def tiles(end: Any, multiple: int, tile: Callable[[int, Any], None]) -> None:
            """``tile(rows, first)`` for tiles of full height, then for what is left."""
            full = times(builder.udiv(end, intp(n_rows)), n_rows)
            with cgutils.for_range_slice(builder, intp(0), full, intp(n_rows)) as (first, _):
                tile(n_rows, first)
            if n_rows > multiple:
                with cgutils.for_range_slice(builder, full, end, intp(multiple)) as (first, _):
                    tile(multiple, first)

        def vectors(pointer: Any, start: Any) -> list[Any]:
            return [v.load(pointer, builder.add(start, intp(i * width))) for i in range(n_vectors)]

        with cgutils.for_range_slice(builder, intp(0), intp(lanes), intp(n_vectors * width)) as (lane, _):

            def sum_at(o: Any) -> Any:
                return index(times(builder.add(given.first_sum, o), lanes), lane)

            def accumulate(rows: int, first: Any, start: Any, terms: Any, matrix: Any, values: Any) -> None:
                result = product(
                    rows,
                    lambda row: start(builder.add(first, intp(row))),
                    terms,
                    lambda term, row: v.spread(matrix, index(times(term, n_out), first, intp(row))),
                    values,
                )
                for row in range(rows):
                    at = sum_at(builder.add(first, intp(row)))
                    for i, value in enumerate(result[row]):
                        v.store(value, given.target, builder.add(at, intp(i * width)))

            def begin_sums(rows: int, first: Any) -> None:
                accumulate(
                    rows, first, lambda o: [v.spread(given.constants, o)] * n_vectors, intp(n_linear), given.lines,
                    lambda i: vectors(given.target, index(times(builder.add(given.first_input, i), lanes), lane)),
                )  # fmt: skip

            tiles(intp(n_out), 1, begin_sums)
            with cgutils.for_range_slice(builder, intp(0), given.count, intp(GROUP)) as (group, _):
                left = builder.sub(given.count, group)
                size = builder.select(builder.icmp_signed("<", left, intp(GROUP)), left, intp(GROUP))

                def compute(rows: int, first: Any) -> None:
                    unit = builder.add(group, first)
                    at = [times(builder.add(unit, intp(row)), n_in + 1) for row in range(rows)]
                    result = product(
                        rows,
                        lambda row: [v.spread(given.weights, builder.add(at[row], intp(n_in)))] * n_vectors,
                        intp(n_in),
                        lambda i, row: v.spread(given.weights, builder.add(at[row], i)),
                        lambda i: vectors(given.source, index(times(builder.add(given.first_row, i), lanes), lane)),
                    )
                    for row in range(rows):
                        place = times(builder.add(first, intp(row)), n_vectors * width)
                        for i, value in enumerate(result[row]):
                            done = v.activation(activation, value, given.shapes)
                            v.store(done, active, builder.add(place, intp(i * width)))

                def add_up(rows: int, first: Any) -> None:
                    accumulate(
                        rows, first, lambda o: vectors(given.target, sum_at(o)), size,
                        builder.gep(given.heads, [times(group, n_out)]),
                        lambda unit: vectors(active, times(unit, n_vectors * width)),
                    )  # fmt: skip

                tiles(size, UNITS, compute)
                tiles(intp(n_out), 1, add_up)

    return layer_function(dtype, width, activation, write)
