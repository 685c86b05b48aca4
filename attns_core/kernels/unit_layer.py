r"""A hidden layer fused with what it feeds, on explicit vectors: accumulators stay in registers.

The loop over lanes cannot be vectorised around a loop over units by the compiler, and with the lanes
inside, every unit loads and stores all accumulators. So this one loop is written in the compiler's own
terms: one vector of lanes at a time, units from the first to the last, each weight fetched as a broadcast.
What is left are the operations of the formula.
"""

from math import gcd
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from attns_core.kernels.vector_arithmetic import Vectors

_intrinsic: Any = intrinsic

UNITS = 4
"""Units computed side by side, to hide latencies; the caller pads to a multiple of it.

Measured: with two units, or two vectors of lanes, registers spill or stand idle (5 to 20 % slower).
"""


def unit_layer(
    *, n_in: int, n_out: int, n_linear: int, activation: str, dtype: str, lanes: int, vector_bits: int
) -> Any:
    """The function ``layer(w, linear_rows, sums, x, rows, constant, linear, weights, heads, shape)``.

    It leaves ``constant + linear.T @ inputs + heads.T @ activation(weights @ (x, 1))`` in the rows of
    ``w`` from ``sums`` on; ``inputs`` are the rows of ``w`` from ``linear_rows`` on, the layer's own inputs
    the rows of ``x`` from ``rows`` on. A row has ``lanes`` values; all arrays are flat or row-major.

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
    """
    width = gcd(lanes, vector_bits // (64 if dtype == "float64" else 32))

    @_intrinsic
    def layer(
        context: Any, w: Any, linear_rows: Any, sums: Any, x: Any, rows: Any, constant: Any, linear: Any,
        weights: Any, heads: Any, shape: Any,
    ) -> Any:  # fmt: skip
        signature = types.void(w, linear_rows, sums, x, rows, constant, linear, weights, heads, shape)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            def array(i: int) -> Any:
                return context.make_array(signature.args[i])(context, builder, args[i])

            def integer(i: int) -> Any:
                return context.cast(builder, args[i], signature.args[i], types.intp)

            intp = context.get_value_type(types.intp)
            v = Vectors(builder, dtype, width)
            target, source = array(0).data, array(3).data
            constants, lines, weight, head = (array(i).data for i in (5, 6, 7, 8))
            first_input, first_sum, first_row = integer(1), integer(2), integer(4)
            count = cgutils.unpack_tuple(builder, array(7).shape)[0]
            shapes = [v.spread(array(9).data, intp(i)) for i in range(7)] if activation == "rational" else []

            def at(row: Any, offset: int, begin: Any) -> Any:
                return builder.add(builder.mul(builder.add(row, intp(offset)), intp(lanes)), begin)

            def element(index: Any, stride: int, offset: int) -> Any:
                return builder.add(builder.mul(index, intp(stride)), intp(offset))

            def add(slot: Any, factor: Any, value: Any) -> None:
                builder.store(v.fma(factor, value, builder.load(slot)), slot)

            # Turned into registers by the compiler.
            slots = [cgutils.alloca_once(builder, v.type) for _ in range(n_out)]
            with cgutils.for_range_slice(builder, intp(0), intp(lanes), intp(width)) as (begin, _):
                own = [v.load(source, at(first_row, i, begin)) for i in range(n_in)]
                for o, slot in enumerate(slots):
                    builder.store(v.spread(constants, intp(o)), slot)
                for i in range(n_linear):
                    given = v.load(target, at(first_input, i, begin))
                    for o, slot in enumerate(slots):
                        add(slot, v.spread(lines, intp(i * n_out + o)), given)
                with cgutils.for_range_slice(builder, intp(0), count, intp(UNITS)) as (first, _):
                    units = [builder.add(first, intp(r)) for r in range(UNITS)]
                    values = []
                    for unit in units:
                        z = v.spread(weight, element(unit, n_in + 1, n_in))
                        for i in range(n_in):
                            z = v.fma(v.spread(weight, element(unit, n_in + 1, i)), own[i], z)
                        values.append(v.activation(activation, z, shapes))
                    for unit, value in zip(units, values, strict=True):
                        for o, slot in enumerate(slots):
                            add(slot, v.spread(head, element(unit, n_out, o)), value)
                for o, slot in enumerate(slots):
                    v.store(builder.load(slot), target, at(first_sum, o, begin))
            return context.get_dummy_value()

        return signature, generate

    return layer
