"""Arithmetic on vectors of lanes, written in the compiler's own terms.

Sine units count in half turns: the caller divides their weights and biases by pi, which makes reducing
the argument one exact subtraction.
"""

from math import gcd
from typing import Any, final

from llvmlite import ir
from numba.core import cgutils

ACTIVATIONS = ("sine", "quintic", "relu", "rational", "identity")
"""Activations that need arithmetic alone."""

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


def vector_width(dtype: str, lanes: int, vector_bits: int) -> int:
    """Numbers in a vector of ``vector_bits``, fewer where ``lanes`` is no multiple of them."""
    return gcd(lanes, vector_bits // (64 if dtype == "float64" else 32))


@final
class Vectors:
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

    def accumulate(self, factor: Any, value: Any, slot: Any) -> None:
        """Add a product to what stands in ``slot``."""
        self.builder.store(self.fma(factor, value, self.builder.load(slot)), slot)

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

    def activation(self, kind: str, x: Any, shape: list[Any]) -> Any:
        """One of ``ACTIVATIONS``."""
        match kind:
            case "sine":
                return self.sine(x)
            case "quintic":
                return self.quintic(x)
            case "relu":
                return self.relu(x)
            case "rational":
                return self.rational(x, shape)
        return x
