"""Arithmetic on vectors of lanes, written in the compiler's own terms.

Sine units count in half turns: the caller divides their weights and biases by pi, which makes reducing
the argument one exact subtraction.
"""

from math import gcd
from typing import Any, final

from llvmlite import ir
from numba.core import cgutils

from attns_core.kernels.vectors import has_estimates

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
    """Arithmetic on vectors of lanes, as statements of the compiler's intermediate language.

    With ``fastmath``, quotients may be products with estimated reciprocals.
    """

    def __init__(self, builder: Any, dtype: str, width: int, *, fastmath: bool = False) -> None:
        self.builder, self.dtype, self.width = builder, dtype, width
        self.scalar = ir.DoubleType() if dtype == "float64" else ir.FloatType()
        self.type = ir.VectorType(self.scalar, width)
        self.size = 8 if dtype == "float64" else 4
        kind = f"v{width}f{8 * self.size}"
        self._estimates = fastmath and has_estimates() and (dtype, width) == ("float32", 16)
        self._fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(self.type, [self.type] * 3), f"llvm.fma.{kind}"
        )
        fence = ir.FunctionType(self.type, [self.type])
        self._fence = cgutils.get_or_insert_function(builder.module, fence, f"llvm.arithmetic.fence.{kind}")

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        return self.builder.call(self._fma, [a, b, c])

    def _fenced(self, value: Any) -> Any:
        """A value that is rounded as it stands: fast-math would make ``x`` of ``(x + magic) - magic``."""
        return self.builder.call(self._fence, [value])

    def accumulate(self, factor: Any, value: Any, slot: Any) -> None:
        """Add a product to what stands in ``slot``."""
        self.builder.store(self.fma(factor, value, self.builder.load(slot)), slot)

    def constant(self, value: float) -> Any:
        return ir.Constant(self.type, [ir.Constant(self.scalar, float(value))] * self.width)

    def spread(self, pointer: Any, index: Any) -> Any:
        """One number of an array in all lanes."""
        return self.everywhere(self.builder.load(self.builder.gep(pointer, [index])))

    def everywhere(self, value: Any) -> Any:
        """One number in all lanes."""
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

    def sine(self, xs: list[Any]) -> list[Any]:
        """``sin(pi x)``, within 3e-16 (2e-7) absolutely."""
        b, integers = self.builder, ir.VectorType(ir.IntType(8 * self.size), self.width)
        magic = self.constant(_MAGIC[self.dtype])
        ys = [self._fenced(b.fadd(x, magic)) for x in xs]
        rs = [b.fsub(x, self._fenced(b.fsub(y, magic))) for x, y in zip(xs, ys, strict=True)]
        zs = [b.fmul(r, r) for r in rs]
        first, *rest = (self.constant(c) for c in _SINE[self.dtype])
        ps = [first] * len(xs)
        for coefficient in rest:
            ps = [self.fma(z, p, coefficient) for z, p in zip(zs, ps, strict=True)]
        top = ir.Constant(integers, [ir.Constant(integers.element, 8 * self.size - 1)] * self.width)
        signs = [b.shl(b.bitcast(y, integers), top) for y in ys]
        values = [b.bitcast(b.fmul(r, p), integers) for r, p in zip(rs, ps, strict=True)]
        return [b.bitcast(b.xor(value, sign), self.type) for value, sign in zip(values, signs, strict=True)]

    def quintic(self, x: Any) -> Any:
        """``x - x^3/6 + x^5/120``."""
        y = self.builder.fmul(x, x)
        inner = self.fma(y, self.constant(1 / 120), self.constant(-1 / 6))
        return self.builder.fmul(x, self.fma(y, inner, self.constant(1)))

    def relu(self, x: Any) -> Any:
        """``max(x, 0)``, and what is not a number stays so."""
        zero = self.constant(0)
        return self.builder.select(self.builder.fcmp_unordered(">", x, zero), x, zero)

    def quotient(self, a: Any, b: Any) -> Any:
        """``a / b``; by an estimated reciprocal with one step of Newton's method, within 3 units in the last place.

        The latter takes a third of the time, and makes NaN of a quotient whose divisor is zero or infinite.
        """
        if not self._estimates:
            return self.builder.fdiv(a, b)
        mask = ir.IntType(self.width)
        function = ir.FunctionType(self.type, [self.type, self.type, mask])
        estimate = cgutils.get_or_insert_function(self.builder.module, function, "llvm.x86.avx512.rcp14.ps.512")
        r = self.builder.call(estimate, [b, b, mask(-1)])
        return self.builder.fmul(a, self.fma(r, self.fma(self.builder.fneg(b), r, self.constant(1)), r))

    def rational(self, xs: list[Any], shape: list[Any]) -> list[Any]:
        c0, c1, c2, c3, d0, d1, d2 = shape
        above = [self.fma(x, self.fma(x, self.fma(x, c3, c2), c1), c0) for x in xs]
        below = [self.fma(x, self.fma(x, d2, d1), d0) for x in xs]
        return [self.quotient(a, b) for a, b in zip(above, below, strict=True)]

    def activation(self, kind: str, xs: list[Any], shape: list[Any]) -> list[Any]:
        """One of ``ACTIVATIONS`` of several vectors, operation by operation: they do not depend on each other."""
        match kind:
            case "sine":
                return self.sine(xs)
            case "quintic":
                return [self.quintic(x) for x in xs]
            case "relu":
                return [self.relu(x) for x in xs]
            case "rational":
                return self.rational(xs, shape)
        return xs
