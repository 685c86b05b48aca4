"""Stages weighed for each component, or block of them, by weights of its own, on explicit vectors.

Sums stay in registers; in a loop over lanes the compiler would ask before each component whether its rows overlap,
and keep sums in memory. Where neighbours share a weight it is fetched once: such sums wait for the cache.
"""

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from attns_core.kernels.layer_function import Arguments
from attns_core.kernels.vector_arithmetic import Vectors, vector_width

_intrinsic: Any = intrinsic

_SUMS = 8
"""Sums side by side: as many as hide the latency of a multiply-add on two units."""


def component_sums(*, dim: int, sets: int, dtype: str, lanes: int, vector_bits: int, onto: bool) -> Any:
    """The function ``sums(y, row, k, slots, weights, first, last)``; it returns 0.

    It leaves ``sum_m weights[m * sets + d // (dim // sets)] * k[slots[m] * dim + d]`` over ``m`` from ``first`` to
    ``last`` in row ``row + d`` of ``y``, added in this order from the first product on. Rows have ``lanes`` values;
    ``y`` may be ``k``, in rows that the sum does not use.

    Parameters
    ----------
    dim : int
        Components.
    sets : int
        Sets of weights, each of which serves as many neighbouring components; it divides ``dim``.
    dtype : {"float64", "float32"}
    lanes : int
    vector_bits : int
        Width of a vector; narrower where ``lanes`` is no multiple of it.
    onto : bool
        Whether the function is ``sums(y, row, k, slots, weights, first, last, w, h)``, and leaves row ``d`` of ``w``
        plus ``h``, a number or one for each lane, times that sum.
    """
    width = vector_width(dtype, lanes, vector_bits)
    side = next(n for n in range(min(_SUMS, lanes // width), 0, -1) if lanes % (n * width) == 0)
    rows = max(1, _SUMS // side)
    size = dim // sets
    run = rows if size % rows == 0 else size if rows % size == 0 else 1
    """Sums side by side that are sure to have one weight."""

    def code(given_types: tuple[Any, ...]) -> Any:
        signature = types.intp(*given_types)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = Arguments(context, builder, signature, args)
            intp = context.get_value_type(types.intp)
            v = Vectors(builder, dtype, width)
            out, stages, slot_of, factors = (given.pointer(i) for i in (0, 2, 3, 4))
            offset, begin, end = builder.mul(given.index(1), intp(lanes)), given.index(5), given.index(6)
            base = given.pointer(7) if onto else None
            per_lane = onto and isinstance(given_types[8], types.Array)
            h = given.pointer(8) if per_lane else v.everywhere(given.number(8)) if onto else None

            def group(d: Any, count: int, lane: Any) -> None:
                """``count`` components from ``d`` on, ``side`` vectors of lanes from ``lane`` on."""
                slot = [[cgutils.alloca_once(builder, v.type) for _ in range(side)] for _ in range(count)]

                def terms(m: Any) -> list[tuple[Any, list[Any]]]:
                    row = builder.add(builder.mul(builder.load(builder.gep(slot_of, [m])), intp(dim)), d)
                    factor = builder.mul(m, intp(sets))
                    weight, found = None, []
                    for c in range(count):
                        start = builder.add(builder.mul(builder.add(row, intp(c)), intp(lanes)), lane)
                        values = [v.load(stages, builder.add(start, intp(q * width))) for q in range(side)]
                        if c % run == 0:
                            mine = builder.udiv(builder.add(d, intp(c)), intp(size))
                            weight = v.spread(factors, builder.add(factor, mine))
                        found.append((weight, values))
                    return found

                for c, (weight, values) in enumerate(terms(begin)):
                    for q in range(side):
                        builder.store(builder.fmul(weight, values[q]), slot[c][q])
                with cgutils.for_range_slice(builder, builder.add(begin, intp(1)), end, intp(1)) as (m, _):
                    for c, (weight, values) in enumerate(terms(m)):
                        for q in range(side):
                            v.accumulate(weight, values[q], slot[c][q])
                for c in range(count):
                    start = builder.add(builder.mul(builder.add(d, intp(c)), intp(lanes)), lane)
                    for q in range(side):
                        at, total = builder.add(start, intp(q * width)), builder.load(slot[c][q])
                        if onto:
                            factor = v.load(h, builder.add(lane, intp(q * width))) if per_lane else h
                            total = v.fma(factor, total, v.load(base, at))
                        v.store(total, out, builder.add(offset, at))

            with cgutils.for_range_slice(builder, intp(0), intp(lanes), intp(side * width)) as (lane, _):
                whole = dim - dim % rows
                with cgutils.for_range_slice(builder, intp(0), intp(whole), intp(rows)) as (d, _):
                    group(d, rows, lane)
                if dim > whole:
                    group(intp(whole), dim - whole, lane)
            return context.get_constant(types.intp, 0)

        return signature, generate

    if onto:

        @_intrinsic
        def sums_onto(
            context: Any, y: Any, row: Any, k: Any, slots: Any, weights: Any, first: Any, last: Any, w: Any, h: Any
        ) -> Any:
            return code((y, row, k, slots, weights, first, last, w, h))

        return sums_onto

    @_intrinsic
    def sums(context: Any, y: Any, row: Any, k: Any, slots: Any, weights: Any, first: Any, last: Any) -> Any:
        return code((y, row, k, slots, weights, first, last))

    return sums
