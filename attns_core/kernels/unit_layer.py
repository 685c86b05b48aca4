r"""A hidden layer fused with what it feeds, on explicit vectors: accumulators stay in registers.

The loop over lanes cannot be vectorised around a loop over units by the compiler, and with the lanes
inside, every unit loads and stores all accumulators. So this one loop is written in the compiler's own
terms: one vector of lanes at a time, units from the first to the last, each weight fetched as a broadcast.
What is left are the operations of the formula.
"""

from typing import Any

from numba.core import cgutils

from attns_core.kernels.layer_function import Given, layer_function
from attns_core.kernels.vector_arithmetic import Vectors, vector_width

UNITS = 4
"""Units computed side by side, to hide latencies; the caller pads to a multiple of it.

Measured: with two units, or two vectors of lanes, registers spill or stand idle (5 to 20 % slower).
"""


def unit_layer(
    *, n_in: int, n_out: int, n_linear: int, activation: str, dtype: str, lanes: int, vector_bits: int
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
    """
    width = vector_width(dtype, lanes, vector_bits)

    def write(v: Vectors, intp: Any, given: Given) -> None:
        builder = v.builder

        def at(row: Any, offset: int, begin: Any) -> Any:
            return builder.add(builder.mul(builder.add(row, intp(offset)), intp(lanes)), begin)

        def element(index: Any, stride: int, offset: int) -> Any:
            return builder.add(builder.mul(index, intp(stride)), intp(offset))

        # Turned into registers by the compiler.
        slots = [cgutils.alloca_once(builder, v.type) for _ in range(n_out)]
        with cgutils.for_range_slice(builder, intp(0), intp(lanes), intp(width)) as (begin, _):
            own = [v.load(given.source, at(given.first_row, i, begin)) for i in range(n_in)]
            for o, slot in enumerate(slots):
                builder.store(v.spread(given.constants, intp(o)), slot)
            for i in range(n_linear):
                line = v.load(given.target, at(given.first_input, i, begin))
                for o, slot in enumerate(slots):
                    v.accumulate(v.spread(given.lines, intp(i * n_out + o)), line, slot)
            with cgutils.for_range_slice(builder, intp(0), given.count, intp(UNITS)) as (first, _):
                units = [builder.add(first, intp(r)) for r in range(UNITS)]
                values = []
                for unit in units:
                    z = v.spread(given.weights, element(unit, n_in + 1, n_in))
                    for i in range(n_in):
                        z = v.fma(v.spread(given.weights, element(unit, n_in + 1, i)), own[i], z)
                    values.append(v.activation(activation, z, given.shapes))
                for unit, value in zip(units, values, strict=True):
                    for o, slot in enumerate(slots):
                        v.accumulate(v.spread(given.heads, element(unit, n_out, o)), value, slot)
            for o, slot in enumerate(slots):
                v.store(builder.load(slot), given.target, at(given.first_sum, o, begin))

    return layer_function(dtype, width, activation, write)
