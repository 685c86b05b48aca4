r"""A hidden layer fused with what it feeds, on explicit vectors: accumulators stay in registers.

The loop over lanes cannot be vectorised around a loop over units by the compiler, and with the lanes
inside, every unit loads and stores all accumulators. So this one loop is written in the compiler's own
terms: one vector of lanes at a time, units from the first to the last, each weight fetched as a broadcast.
What is left are the operations of the formula.

Activations are those that need arithmetic alone. Sine units count in half turns: the caller divides
their weights and biases by pi, which makes reducing the argument one exact subtraction.
"""

from math import gcd
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_intrinsic: Any = intrinsic

ACTIVATIONS = ("sine", "quintic", "relu", "rational", "identity")
"""What can be computed here."""

UNITS = 4
"""Units computed side by side, to hide latencies; the caller pads to a multiple of it.

Measured: with two units, or two vectors of lanes, registers spill or stand idle (5 to 20 % slower).
"""

# sin(pi r) = r * p(r * r) for |r| <= 1/2, highest power first: least maximal error (Remez), 9e-17 and 3e-9.
_SINE = {
    "float64": (
        -2.108568977022392e-05, 0.00046594206889701543, -0.007370347469066514, 0.08214587559646723,
        -0.5992645284958561, 2.5501640398445717, -5.167712780049385, 3.14159265358979,
    ),
    "float32": (0.0772201290212725, -0.5980451745951197, 2.550031377477912, -5.167706878950683, 3.1415925800454794),
}  # fmt: skip
# Adding 1.5 * 2**52 (2**23) rounds to an integer, left in the low bits.
_MAGIC = {"float64": 6755399441055744.0, "float32": 12582912.0}


class _Vectors:
    """Arithmetic on vectors of lanes, as statements of the compiler's intermediate language."""

    def __init__(self, builder: Any, dtype: str, width: int) -> None:
        self.builder, self.dtype, self.width = builder, dtype, width
        self.scalar = ir.DoubleType() if dtype == "float64" else ir.FloatType()
        self.type = ir.VectorType(self.scalar, width)
        self.size = 8 if dtype == "float64" else 4
        name = f"llvm.fma.v{width}f{8 * self.size}"
        self._fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(self.type, [self.type] * 3), name)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.builder.call(self._fma, [a, b, c])

    def constant(self, value: float) -> Any:
        return ir.Constant(self.type, [ir.Constant(self.scalar, float(value))] * self.width)

    def spread(self, pointer: Any, index: Any) -> Any:
        """One number in all lanes."""
        value = self.builder.load(self.builder.gep(pointer, [index]))
        i32 = ir.IntType(32)
        one = self.builder.insert_element(ir.Constant(self.type, ir.Undefined), value, i32(0))
        zeros = ir.Constant(ir.VectorType(i32, self.width), [i32(0)] * self.width)
        return self.builder.shuffle_vector(one, ir.Constant(self.type, ir.Undefined), zeros)

    def _at(self, pointer: Any, index: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(pointer, [index]), self.type.as_pointer())

    def load(self, pointer: Any, index: Any) -> Any:
        return self.builder.load(self._at(pointer, index), align=self.size)

    def store(self, value: Any, pointer: Any, index: Any) -> None:
        self.builder.store(value, self._at(pointer, index), align=self.size)

    def sine(self, x: Any) -> Any:
        """``sin(pi x)``, within 3e-16 (2e-7) absolutely."""
        b, integers = self.builder, ir.VectorType(ir.IntType(8 * self.size), self.width)
        magic = self.constant(_MAGIC[self.dtype])
        y = b.fadd(x, magic)
        r = b.fsub(x, b.fsub(y, magic))
        z = b.fmul(r, r)
        first, *rest = (self.constant(c) for c in _SINE[self.dtype])
        p = first
        for coefficient in rest:
            p = self.fma(z, p, coefficient)
        top = ir.Constant(integers, [ir.Constant(integers.element, 8 * self.size - 1)] * self.width)
        sign = b.shl(b.bitcast(y, integers), top)
        return b.bitcast(b.xor(b.bitcast(b.fmul(r, p), integers), sign), self.type)

    def quintic(self, x: Any) -> Any:
        """``x - x^3/6 + x^5/120``."""
        y = self.builder.fmul(x, x)
        inner = self.fma(y, self.constant(1 / 120), self.constant(-1 / 6))
        return self.builder.fmul(x, self.fma(y, inner, self.constant(1)))

    def relu(self, x: Any) -> Any:
        """``max(x, 0)``, and what is not a number stays so."""
        zero = self.constant(0)
        return self.builder.select(self.builder.fcmp_unordered(">", x, zero), x, zero)

    def rational(self, x: Any, shape: list[Any]) -> Any:
        c0, c1, c2, c3, d0, d1, d2 = shape
        above = self.fma(x, self.fma(x, self.fma(x, c3, c2), c1), c0)
        return self.builder.fdiv(above, self.fma(x, self.fma(x, d2, d1), d0))


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
        One of ``ACTIVATIONS``.
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
            v = _Vectors(builder, dtype, width)
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
                        match activation:
                            case "sine":
                                z = v.sine(z)
                            case "quintic":
                                z = v.quintic(z)
                            case "relu":
                                z = v.relu(z)
                            case "rational":
                                z = v.rational(z, shapes)
                        values.append(z)
                    for unit, value in zip(units, values, strict=True):
                        for o, slot in enumerate(slots):
                            add(slot, v.spread(head, element(unit, n_out, o)), value)
                for o, slot in enumerate(slots):
                    v.store(builder.load(slot), target, at(first_sum, o, begin))
            return context.get_dummy_value()

        return signature, generate

    return layer
