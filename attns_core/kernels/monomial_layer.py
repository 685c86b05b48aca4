"""Monomials and what they feed, on explicit vectors: accumulators stay in registers.

As :mod:`attns_core.kernels.tiled_layer`, for polynomial correctors: one or two vectors of lanes at a time,
each monomial is the product of an earlier one and a variable, and is added to all sums at once.
"""

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from attns_core.kernels.layer_function import Arguments
from attns_core.kernels.vector_arithmetic import Vectors, vector_width

_intrinsic: Any = intrinsic

MOST_SUMS = 24
"""Sums up to which they fit the registers; with half as many, two vectors go side by side."""


def monomial_layer(*, n_out: int, n_linear: int, dtype: str, lanes: int, vector_bits: int) -> Any:
    """The function ``layer(w, inputs, sums, g, constant, linear, heads, parents, variables)``; it returns 0.

    It leaves ``constant + linear.T @ x + heads.T @ monomials(x)`` in the rows of ``w`` from ``sums`` on; ``x``
    are the rows of ``w`` from ``inputs`` on. Monomial ``r`` is monomial ``parents[r]`` times variable
    ``variables[r]``, or 1 where the parent is negative; ``g`` has room for ``lanes`` values of each. A row has
    ``lanes`` values; all arrays are flat or row-major.

    Parameters
    ----------
    n_out, n_linear : int
        Sums, and inputs of the linear part (0: none).
    dtype : {"float64", "float32"}
    lanes : int
    vector_bits : int
        Width of a vector; narrower where ``lanes`` is no multiple of it.
    """
    width = vector_width(dtype, lanes, vector_bits)
    side = 2 if n_out <= MOST_SUMS // 2 and lanes % (2 * width) == 0 else 1

    @_intrinsic
    def layer(
        context: Any, w: Any, inputs: Any, sums: Any, g: Any, constant: Any, linear: Any, heads: Any, parents: Any,
        variables: Any,
    ) -> Any:  # fmt: skip
        signature = types.intp(w, inputs, sums, g, constant, linear, heads, parents, variables)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = Arguments(context, builder, signature, args)
            intp = context.get_value_type(types.intp)
            v = Vectors(builder, dtype, width)
            rows, scratch, constants, lines, head, parent_of, variable_of = (
                given.pointer(i) for i in (0, 3, 4, 5, 6, 7, 8)
            )
            first_input, first_sum, count = given.index(1), given.index(2), given.length(7)

            def at(row: Any, begin: Any, q: int) -> Any:
                return builder.add(builder.add(builder.mul(row, intp(lanes)), begin), intp(q * width))

            def own(row: Any, q: int) -> Any:
                return builder.add(builder.mul(row, intp(side * width)), intp(q * width))

            # Turned into registers by the compiler.
            slots = [[cgutils.alloca_once(builder, v.type) for _ in range(n_out)] for _ in range(side)]
            with cgutils.for_range_slice(builder, intp(0), intp(lanes), intp(side * width)) as (begin, _):
                for o in range(n_out):
                    for q in range(side):
                        builder.store(v.spread(constants, intp(o)), slots[q][o])
                for i in range(n_linear):
                    inputs = [v.load(rows, at(builder.add(first_input, intp(i)), begin, q)) for q in range(side)]
                    for o in range(n_out):
                        factor = v.spread(lines, intp(i * n_out + o))
                        for q in range(side):
                            v.accumulate(factor, inputs[q], slots[q][o])
                with cgutils.for_range(builder, count) as loop:
                    r = loop.index
                    parent, variable = (builder.load(builder.gep(a, [r])) for a in (parent_of, variable_of))
                    is_one = builder.icmp_signed("<", parent, intp(0))
                    # What a negative parent stands for is read and not used.
                    parent, variable = (builder.select(is_one, intp(0), index) for index in (parent, variable))
                    values = []
                    for q in range(side):
                        before = v.load(scratch, own(parent, q))
                        factor = v.load(rows, at(builder.add(first_input, variable), begin, q))
                        value = builder.select(is_one, v.constant(1), builder.fmul(before, factor))
                        v.store(value, scratch, own(r, q))
                        values.append(value)
                    base = builder.mul(r, intp(n_out))
                    for o in range(n_out):
                        weight = v.spread(head, builder.add(base, intp(o)))
                        for q in range(side):
                            v.accumulate(weight, values[q], slots[q][o])
                for o in range(n_out):
                    for q in range(side):
                        v.store(builder.load(slots[q][o]), rows, at(builder.add(first_sum, intp(o)), begin, q))
            return context.get_constant(types.intp, 0)

        return signature, generate

    return layer
