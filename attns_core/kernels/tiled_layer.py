r"""The last hidden layer of a corrector, on explicit vectors: two matrix products in tiles, activations between.

The loop over lanes cannot be vectorised around a loop over units by the compiler, and with the lanes inside,
every unit loads and stores all sums. So this one loop is written in the compiler's own terms.

Units are computed in groups. Their activated values stay in the nearest cache until the second product has used
them up, and no layer is ever stored as a whole. A tile of the second product is a few sums times a few vectors of
lanes, which are in registers over all units of the group; so each number that is fetched takes part in several
multiplications. Computing units and summing apart leaves each the registers that it needs, and independent
operations enough to hide latencies. Sums are taken in the order of the units, whatever the block.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from numba.core import cgutils

from attns_core.kernels.layer_function import Given, layer_function
from attns_core.kernels.vector_arithmetic import Vectors, vector_width

UNITS = 4
"""The caller pads units to a multiple of it."""

_WRITTEN_OUT = 8
"""Terms of a product up to which its loop is written out."""
_UNROLLED = 2
"""Terms of a round of longer loops, which divides ``UNITS`` (measured: 5 % faster than one, and as fast as four)."""
_ACTIVATED = 8
"""Vectors that are activated side by side (measured: 4 to 8 are alike, 24 take 2 % longer)."""


_GROUP = 288
"""Vectors of activated values of a group: 18 KiB at most (measured: half as many are 3 % slower)."""


@final
@dataclass(frozen=True, kw_only=True)
class Tiling:
    """How the two products are cut.

    Parameters
    ----------
    vectors : int
        Vectors of lanes of a tile.
    units, sums : int
        Rows of a tile of the first and of the second product; ``units`` divides ``UNITS`` or is twice it.
    group : int
        Units of a group, a multiple of ``UNITS``.
    """

    vectors: int
    units: int
    sums: int
    group: int


def tiling(n_in: int, n_out: int, n_vectors: int, vector_bits: int, *, divides: bool) -> Tiling:
    """How a layer is cut for lanes in ``n_vectors`` vectors, as measured; ``divides``: units are quotients."""
    vectors = next(n for n in (4, 3, 2, 1) if n_vectors % n == 0)
    # Three quarters of the registers for sums.
    most = (24 if vector_bits == 512 else 12) // vectors
    # Few inputs: as many as hide the latency of an activation. Many: as many as the registers hold.
    units = max(1, 4 // vectors) if n_in <= _WRITTEN_OUT else next(n for n in (8, 4, 2, 1) if n <= most)
    sums = -(-n_out // -(-n_out // most))
    # Short groups let slow divisions go on beside the sums of the group before.
    group = UNITS if divides and n_in <= _WRITTEN_OUT else _GROUP // vectors
    return Tiling(vectors=vectors, units=units, sums=sums, group=group)


def tiled_layer(
    *,
    n_in: int,
    n_out: int,
    n_linear: int,
    activation: str,
    dtype: str,
    lanes: int,
    vector_bits: int,
    fastmath: bool = False,
) -> Any:
    """A hidden layer as :func:`attns_core.kernels.layer_function.layer_function` describes it.

    Parameters
    ----------
    n_in, n_out, n_linear : int
        Inputs of the layer, sums, and inputs of the linear part (0: none).
    activation : str
        One of ``vector_arithmetic.ACTIVATIONS``.
    dtype : {"float64", "float32"}
    lanes : int
    vector_bits : int
        Width of a vector; narrower where ``lanes`` is no multiple of it.
    fastmath : bool
        Divide by estimated reciprocals where the processor has them.
    """
    width = vector_width(dtype, lanes, vector_bits)
    divides = activation == "rational" and not fastmath
    cut = tiling(n_in, n_out, lanes // width, vector_bits, divides=divides)
    n_vectors = cut.vectors

    def write(v: Vectors, intp: Any, given: Given) -> None:
        builder = v.builder
        # Turned into registers by the compiler.
        slots = [
            [cgutils.alloca_once(builder, v.type) for _ in range(n_vectors)] for _ in range(max(cut.units, cut.sums))
        ]
        active = cgutils.alloca_once(builder, v.scalar, size=cut.group * n_vectors * width)
        active.align = 64

        def index(*terms: Any) -> Any:
            total, *others = terms
            for other in others:
                total = builder.add(total, other)
            return total

        def times(a: Any, b: int) -> Any:
            return builder.mul(a, intp(b))

        def begin(row: int, values: list[Any]) -> None:
            for slot, value in zip(slots[row], values, strict=True):
                builder.store(value, slot)

        def product(rows: int, terms: Any, factor: Callable[[Any, int], Any], values: Callable[[Any], Any]) -> None:
            """Add ``factor(term, row) * values(term)`` to the rows, over the terms."""

            def add(term: Any) -> None:
                fetched = values(term)
                for row in range(rows):
                    one = factor(term, row)
                    for slot, value in zip(slots[row], fetched, strict=True):
                        v.accumulate(one, value, slot)

            end = terms - terms % _UNROLLED if isinstance(terms, int) else terms
            if not isinstance(terms, int) or terms > _WRITTEN_OUT:
                last = intp(end) if isinstance(end, int) else end
                with cgutils.for_range_slice(builder, intp(0), last, intp(_UNROLLED)) as (first, _):
                    for term in range(_UNROLLED):
                        add(builder.add(first, intp(term)))
            else:
                end = 0
            if isinstance(terms, int):
                for term in range(end, terms):
                    add(intp(term))

        def vectors(pointer: Any, start: Any) -> list[Any]:
            return [v.load(pointer, builder.add(start, intp(i * width))) for i in range(n_vectors)]

        with cgutils.for_range_slice(builder, intp(0), intp(lanes), intp(n_vectors * width)) as (lane, _):

            def rows_at(pointer: Any, first_row: Any, i: Any) -> list[Any]:
                return vectors(pointer, index(times(builder.add(first_row, i), lanes), lane))

            def compute(rows: int, group: Any, first: Any) -> None:
                """The activated values of a few units."""
                at = [times(index(group, first, intp(row)), n_in + 1) for row in range(rows)]
                for row in range(rows):
                    begin(row, [v.spread(given.weights, builder.add(at[row], intp(n_in)))] * n_vectors)
                product(
                    rows, n_in,
                    lambda i, row: v.spread(given.weights, builder.add(at[row], i)),
                    lambda i: rows_at(given.source, given.first_row, i),
                )  # fmt: skip
                places = [slot for row in range(rows) for slot in slots[row]]
                for i in range(0, len(places), _ACTIVATED):
                    values = [builder.load(slot) for slot in places[i : i + _ACTIVATED]]
                    for j, value in enumerate(v.activation(activation, values, given.shapes)):
                        v.store(value, active, index(times(first, n_vectors * width), intp((i + j) * width)))

            def add_up(rows: int, group: Any, size: Any, first: Any) -> None:
                """Add a group's part to a few sums, which its first part begins."""
                at = [index(times(index(given.first_sum, first, intp(row)), lanes), lane) for row in range(rows)]
                with builder.if_else(builder.icmp_signed("==", group, intp(0))) as (begun, gone_on):
                    with begun:
                        for row in range(rows):
                            begin(row, [v.spread(given.constants, index(first, intp(row)))] * n_vectors)
                        product(
                            rows, n_linear,
                            lambda i, row: v.spread(given.lines, index(times(i, n_out), first, intp(row))),
                            lambda i: rows_at(given.target, given.first_input, i),
                        )  # fmt: skip
                    with gone_on:
                        for row in range(rows):
                            begin(row, vectors(given.target, at[row]))
                heads = builder.gep(given.heads, [times(group, n_out)])
                product(
                    rows, size,
                    lambda unit, row: v.spread(heads, index(times(unit, n_out), first, intp(row))),
                    lambda unit: vectors(active, times(unit, n_vectors * width)),
                )  # fmt: skip
                for row in range(rows):
                    for i, slot in enumerate(slots[row]):
                        v.store(builder.load(slot), given.target, builder.add(at[row], intp(i * width)))

            with cgutils.for_range_slice(builder, intp(0), given.count, intp(cut.group)) as (group, _):
                left = builder.sub(given.count, group)
                size = builder.select(builder.icmp_signed("<", left, intp(cut.group)), left, intp(cut.group))
                full = size if cut.units <= UNITS else times(builder.udiv(size, intp(cut.units)), cut.units)
                with cgutils.for_range_slice(builder, intp(0), full, intp(cut.units)) as (first, _):
                    compute(cut.units, group, first)
                if cut.units > UNITS:
                    with cgutils.for_range_slice(builder, full, size, intp(UNITS)) as (first, _):
                        compute(UNITS, group, first)
                whole = n_out - n_out % cut.sums
                if whole == cut.sums:
                    add_up(cut.sums, group, size, intp(0))
                elif whole:
                    with cgutils.for_range_slice(builder, intp(0), intp(whole), intp(cut.sums)) as (first, _):
                        add_up(cut.sums, group, size, first)
                if n_out > whole:
                    add_up(n_out - whole, group, size, intp(whole))

    return layer_function(dtype, width, activation, write, fastmath=fastmath)
