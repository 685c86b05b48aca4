"""Quadratic functions of a state, on explicit vectors: accumulators stay in registers, no monomial is made.

``z_i`` is taken out of all terms that hold it: a multiply-add for each coefficient and one for each component are all.
"""

from itertools import chain
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from attns_core.kernels.layer_function import Arguments
from attns_core.kernels.loops import rolled
from attns_core.kernels.vector_arithmetic import Vectors, vector_width

_intrinsic: Any = intrinsic

_SUMS = 8
"""Sums that grow side by side, as many as hide the latency of a multiply-add on two units."""


def together(count: int) -> int:
    """Components whose terms are summed side by side, so that each value is fetched once for all of them."""
    return max(1, min(4, _SUMS // count))


def quadratics(*, count: int, dim: int, dtype: str, lanes: int, vector_bits: int) -> Any:
    """The function ``quadratic(w, inputs, sums, constant, linear, squares)``; it returns 0.

    It leaves ``constant + sum_i z_i (linear_i + sum_{j >= i} square_ij z_j)``, for each of ``count`` functions, in the
    rows of ``w`` from ``sums`` on; ``z`` are the ``dim`` rows of ``w`` from ``inputs`` on. The other arrays are those
    of :func:`quadratic_tables`, flat or row-major; a row has ``lanes`` values.

    Parameters
    ----------
    count, dim : int
    dtype : {"float64", "float32"}
    lanes : int
    vector_bits : int
        Width of a vector; narrower where ``lanes`` is no multiple of it.
    """
    width, rows_at_once = vector_width(dtype, lanes, vector_bits), together(count)

    @_intrinsic
    def quadratic(context: Any, w: Any, inputs: Any, sums: Any, constant: Any, linear: Any, squares: Any) -> Any:
        signature = types.intp(w, inputs, sums, constant, linear, squares)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = Arguments(context, builder, signature, args)
            intp = context.get_value_type(types.intp)
            v = Vectors(builder, dtype, width)
            rows, constants, lines, table = (given.pointer(i) for i in (0, 3, 4, 5))
            first_input, first_sum = given.index(1), given.index(2)

            def at(row: Any, lane: Any) -> Any:
                return builder.add(builder.mul(row, intp(lanes)), lane)

            def component(i: Any, lane: Any) -> Any:
                return v.load(rows, at(builder.add(first_input, i), lane))

            def slots() -> list[Any]:
                """Of each function; turned into registers by the compiler."""
                return [cgutils.alloca_once(builder, v.type) for _ in range(count)]

            totals, parts = slots(), [slots() for _ in range(rows_at_once)]
            place = cgutils.alloca_once(builder, intp)
            with cgutils.for_range_slice(builder, intp(0), intp(lanes), intp(width)) as (lane, _):
                builder.store(intp(0), place)
                for m, total in enumerate(totals):
                    builder.store(v.spread(constants, intp(m)), total)
                with cgutils.for_range_slice(builder, intp(0), intp(dim), intp(rows_at_once)) as (i, _):
                    for r, own in enumerate(parts):
                        for m, part in enumerate(own):
                            entry = builder.add(builder.mul(builder.add(i, intp(r)), intp(count)), intp(m))
                            builder.store(v.spread(lines, entry), part)
                    with rolled(builder, i, intp(dim)) as j:
                        value, begin = component(j, lane), builder.load(place)
                        for n, part in enumerate(chain.from_iterable(parts)):
                            v.accumulate(v.spread(table, builder.add(begin, intp(n))), value, part)
                        builder.store(builder.add(begin, intp(rows_at_once * count)), place)
                    for r, own in enumerate(parts):
                        # The last one stands in for those that are not there and weigh nothing.
                        factor, last = builder.add(i, intp(r)), intp(dim - 1)
                        factor = builder.select(builder.icmp_signed(">", factor, last), last, factor)
                        value = component(factor, lane)
                        for total, part in zip(totals, own, strict=True):
                            v.accumulate(builder.load(part), value, total)
                for m, total in enumerate(totals):
                    v.store(builder.load(total), rows, at(builder.add(first_sum, intp(m)), lane))
            return context.get_constant(types.intp, 0)

        return signature, generate

    return quadratic


def quadratic_tables(exponents: Any, linear: Any, heads: Any) -> tuple[Any, Any]:
    """Coefficients of quadratic functions as ``linear, squares`` of :func:`quadratics`.

    Parameters
    ----------
    exponents : integer array, shape (n_monomials, dim)
        Of total degree 2 at most.
    linear : array, shape (dim, count)
    heads : array, shape (n_monomials, count)
    """
    dim, count = linear.shape
    rows_at_once = together(count)
    whole = dim + -dim % rows_at_once
    lines, square = np.zeros((whole, count)), np.zeros((whole, dim, count))
    lines[:dim] = linear
    for exponent, head in zip(exponents, heads, strict=True):
        i, *others = np.repeat(np.arange(dim), exponent)
        if others:
            square[i, others[0]] += head
        else:
            lines[i] += head
    parts = (square[i : i + rows_at_once, i:].transpose(1, 0, 2).ravel() for i in range(0, whole, rows_at_once))
    return lines, np.concatenate(list(parts))
