"""Weights of stages for each trajectory: a learned tableau's, combined by queries of the state."""

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from attns_core.kernels.layer_function import Arguments
from attns_core.kernels.vector_arithmetic import Vectors, vector_width

_intrinsic: Any = intrinsic


def attentive_weights(*, queries: int, dtype: str, lanes: int, vector_bits: int) -> Any:
    """The function ``combine(target, weights, count, g, row)``; it returns 0.

    It leaves ``weights[x, 0] + sum_m weights[x, 1 + m] * g[row + m]`` in row ``x`` of ``target``, for each ``x`` below
    ``count``. Rows have ``lanes`` values.

    Parameters
    ----------
    queries : int
    dtype : {"float64", "float32"}
    lanes : int
    vector_bits : int
        Width of a vector; narrower where ``lanes`` is no multiple of it.
    """
    width = vector_width(dtype, lanes, vector_bits)
    side = 2 if lanes % (2 * width) == 0 else 1

    @_intrinsic
    def combine(context: Any, target: Any, weights: Any, count: Any, g: Any, row: Any) -> Any:
        signature = types.intp(target, weights, count, g, row)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = Arguments(context, builder, signature, args)
            intp, v = context.get_value_type(types.intp), Vectors(builder, dtype, width)
            rows, table, values = (given.pointer(i) for i in (0, 1, 3))
            end, query = given.index(2), given.index(4)

            def at(index: Any, lane: Any, q: int) -> Any:
                return builder.add(builder.add(builder.mul(index, intp(lanes)), lane), intp(q * width))

            with cgutils.for_range_slice(builder, intp(0), intp(lanes), intp(side * width)) as (lane, _):
                values_of = [
                    [v.load(values, at(builder.add(query, intp(m)), lane, q)) for q in range(side)]
                    for m in range(queries)
                ]
                with cgutils.for_range_slice(builder, intp(0), end, intp(1)) as (x, _):
                    entry = builder.mul(x, intp(1 + queries))
                    sums = [v.spread(table, entry)] * side
                    for m, of_query in enumerate(values_of):
                        weight = v.spread(table, builder.add(entry, intp(1 + m)))
                        sums = [v.fma(weight, value, total) for value, total in zip(of_query, sums, strict=True)]
                    for q, total in enumerate(sums):
                        v.store(total, rows, at(x, lane, q))
            return context.get_constant(types.intp, 0)

        return signature, generate

    return combine
