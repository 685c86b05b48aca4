r"""Elementary functions that vectorise over lanes: branch-free, each call inlined.

numba calls the C library for these functions one number at a time, which stops vectorisation of the
loop around them. Here they are polynomials and bit operations on the whole range, within 4 units in
the last place of the true value (tests compare them with mpmath) and with NaN and infinities as IEEE 754
has them. The exception is sine, cosine and tangent of very large arguments (``SIN_LIMIT``): the fast
forms return NaN there, and a solve that yields NaN is repeated with the C library's functions.

None of them is compiled with fast-math, whatever the kernel that calls them asks for: argument
reduction relies on the order of operations.

Sources: argument reduction with fused multiply-add after W. Cody and W. Waite, Software Manual for the
Elementary Functions (1980); polynomial coefficients of sine, cosine and logarithm from FreeBSD msun
(Sun Microsystems, 1993) and S. Moshier's Cephes (single precision).
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

SIN_LIMIT = {"float64": 1e13, "float32": 1e5}
"""Largest ``|x|`` for which the fast sine, cosine and tangent are valid."""

_inline: Any = njit(error_model="numpy", forceinline=True)
_intrinsic: Any = intrinsic


@_intrinsic
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` rounded once."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return a(a, a, a), generate


@_intrinsic
def bits(context: Any, x: Any) -> Any:
    """The bit pattern of a double, as int64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), generate


@_intrinsic
def from_bits(context: Any, q: Any) -> Any:
    """The double with a bit pattern."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), generate


@_intrinsic
def bits32(context: Any, x: Any) -> Any:
    """The bit pattern of a float, as int32."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(32))

    return types.int32(types.float32), generate


@_intrinsic
def from_bits32(context: Any, q: Any) -> Any:
    """The float with a bit pattern."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), generate


# --- sine and cosine, double ------------------------------------------------------------------------

_MAGIC = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to an integer, left in the low bits
_LIMIT = SIN_LIMIT["float64"]
_TWO_OVER_PI = 2 / math.pi
# pi/2 in three parts; each product with an integer below 2**43 is subtracted with one rounding.
_P1, _P2, _P3 = 1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33


@_inline
def _reduce(x):
    """``x`` less a multiple of pi/2, and that multiple's bits."""
    y = fma(x if abs(x) <= _LIMIT else np.nan, _TWO_OVER_PI, _MAGIC)
    n = y - _MAGIC
    r = fma(n, -_P1, x)
    r = fma(n, -_P2, r)
    return fma(n, -_P3, r), bits(y)


@_inline
def _sin_poly(r, z):
    p = fma(z, 1.58969099521155010221e-10, -2.50507602534068634195e-08)
    p = fma(z, p, 2.75573137070700676789e-06)
    p = fma(z, p, -1.98412698298579493134e-04)
    p = fma(z, p, 8.33333333332248946124e-03)
    p = fma(z, p, -1.66666666666666324348e-01)
    return fma(r * z, p, r)


@_inline
def _cos_poly(z):
    p = fma(z, -1.13596475577881948265e-11, 2.08757232129817482790e-09)
    p = fma(z, p, -2.75573143513906633035e-07)
    p = fma(z, p, 2.48015872894767294178e-05)
    p = fma(z, p, -1.38888888888741095749e-03)
    p = fma(z, p, 4.16666666666666019037e-02)
    return fma(z * z, p, fma(z, -0.5, 1.0))


@_inline
def sin64(x):
    """Sine of a double."""
    r, q = _reduce(x)
    z = r * r
    value = _cos_poly(z) if (q & 1) != 0 else _sin_poly(r, z)
    return from_bits(bits(value) ^ ((q & 2) << 62))


@_inline
def cos64(x):
    """Cosine of a double."""
    r, q = _reduce(x)
    z = r * r
    value = _sin_poly(r, z) if (q & 1) != 0 else _cos_poly(z)
    return from_bits(bits(value) ^ (((q + 1) & 2) << 62))


@_inline
def tan64(x):
    """Tangent of a double."""
    r, q = _reduce(x)
    z = r * r
    s, c = _sin_poly(r, z), _cos_poly(z)
    return -c / s if (q & 1) != 0 else s / c


# pi in two parts; the polynomial is interpolated at Chebyshev nodes, within 3e-17 on [-pi/2, pi/2].
_H1, _H2 = 2 * _P1, 2 * _P2
_ONE_OVER_PI = 1 / math.pi


@_inline
def wave64(x):
    """Sine of a double as an activation: within 2e-16 of it absolutely, for ``|x|`` up to ``SIN_LIMIT``.

    The caller makes sure of the range; small values near multiples of pi lose relative accuracy.
    """
    y = fma(x, _ONE_OVER_PI, _MAGIC)
    n = y - _MAGIC
    r = fma(n, -_H2, fma(n, -_H1, x))
    z = r * r
    p = fma(z, 2.7308123706227456e-15, -7.643919375559718e-13)
    p = fma(z, p, 1.6058975711150717e-10)
    p = fma(z, p, -2.5052107592198796e-08)
    p = fma(z, p, 2.7557319218967735e-06)
    p = fma(z, p, -0.00019841269841254248)
    p = fma(z, p, 0.008333333333333314)
    p = fma(z, p, -0.16666666666666666)
    return from_bits(bits(fma(r * z, p, r)) ^ (bits(y) << 63))


# --- sine and cosine, single ------------------------------------------------------------------------

_F = np.float32
_MAGIC32 = _F(12582912.0)
_LIMIT32 = _F(SIN_LIMIT["float32"])
_TWO_OVER_PI32 = _F(2 / math.pi)
_Q1 = _F(math.pi / 2)
_Q2 = _F(math.pi / 2 - float(_Q1))
_Q3 = _F(math.pi / 2 - float(_Q1) - float(_Q2) + 6.123233995736766e-17)
_NAN32, _ONE32, _HALF32 = _F(np.nan), _F(1), _F(0.5)
_S1, _S2, _S3 = _F(-1.6666654611e-1), _F(8.3321608736e-3), _F(-1.9515295891e-4)
_C1, _C2, _C3 = _F(4.166664568298827e-2), _F(-1.388731625493765e-3), _F(2.443315711809948e-5)
_I1, _I2, _I30 = np.int32(1), np.int32(2), np.int32(30)


@_inline
def _reduce32(x):
    y = fma(x if abs(x) <= _LIMIT32 else _NAN32, _TWO_OVER_PI32, _MAGIC32)
    n = y - _MAGIC32
    r = fma(n, -_Q1, x)
    r = fma(n, -_Q2, r)
    return fma(n, -_Q3, r), bits32(y)


@_inline
def _sin_poly32(r, z):
    return fma(r * z, fma(z, fma(z, _S3, _S2), _S1), r)


@_inline
def _cos_poly32(z):
    return fma(z * z, fma(z, fma(z, _C3, _C2), _C1), fma(z, -_HALF32, _ONE32))


@_inline
def _flip32(value, q):
    return from_bits32(np.int32(bits32(value) ^ np.int32((q & _I2) << _I30)))


@_inline
def sin32(x):
    """Sine of a float."""
    r, q = _reduce32(x)
    z = r * r
    return _flip32(_cos_poly32(z) if (q & _I1) != 0 else _sin_poly32(r, z), q)


@_inline
def cos32(x):
    """Cosine of a float."""
    r, q = _reduce32(x)
    z = r * r
    return _flip32(_sin_poly32(r, z) if (q & _I1) != 0 else _cos_poly32(z), np.int32(q + _I1))


@_inline
def tan32(x):
    """Tangent of a float."""
    r, q = _reduce32(x)
    z = r * r
    s, c = _sin_poly32(r, z), _cos_poly32(z)
    return -c / s if (q & _I1) != 0 else s / c


# --- exponential ------------------------------------------------------------------------------------

_LOG2E = 1.4426950408889634
_LN2_HI, _LN2_LO = 0.6931471805599453, 2.3190468138462996e-17
_E2, _E3, _E4, _E5, _E6, _E7 = 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040
_E8, _E9, _E10, _E11, _E12, _E13 = (1 / math.factorial(k) for k in range(8, 14))


@_inline
def _expm1_poly(r):
    """``exp(r) - 1`` for ``|r| <= ln(2) / 2``."""
    p = fma(r, _E13, _E12)
    p = fma(r, p, _E11)
    p = fma(r, p, _E10)
    p = fma(r, p, _E9)
    p = fma(r, p, _E8)
    p = fma(r, p, _E7)
    p = fma(r, p, _E6)
    p = fma(r, p, _E5)
    p = fma(r, p, _E4)
    p = fma(r, p, _E3)
    p = fma(r, p, _E2)
    return fma(r * r, p, r)


@_inline
def exp64(x):
    """Exponential of a double."""
    x = 710.0 if x > 710.0 else x
    x = -746.0 if x < -746.0 else x
    y = fma(x, _LOG2E, _MAGIC)
    n = y - _MAGIC
    r = fma(n, -_LN2_LO, fma(n, -_LN2_HI, x))
    # 2**n in two factors, so that neither over- nor underflows before the result does.
    k = bits(y) - 0x4338000000000000
    half = k >> 1
    first = from_bits((half + 1023) << 52)
    second = from_bits((k - half + 1023) << 52)
    return (1.0 + _expm1_poly(r)) * first * second


@_inline
def tanh64(x):
    """Hyperbolic tangent of a double."""
    a = abs(x)
    a = 40.0 if a > 20.0 else 2.0 * a
    y = fma(a, _LOG2E, _MAGIC)
    n = y - _MAGIC
    r = fma(n, -_LN2_LO, fma(n, -_LN2_HI, a))
    scale = from_bits((bits(y) - 0x4338000000000000 + 1023) << 52)
    t = fma(scale, _expm1_poly(r), scale - 1.0)
    value = t / (t + 2.0)
    return from_bits(bits(value) | (bits(x) & -0x8000000000000000))


# --- logarithm --------------------------------------------------------------------------------------


@_inline
def log64(x):
    """Natural logarithm of a double."""
    small = x < 2.2250738585072014e-308
    v = x * 18014398509481984.0 if small else x
    q = bits(v)
    # The mantissa in [sqrt(1/2), sqrt(2)): subtracting sqrt(1/2)'s bits carries into the exponent.
    shifted = q - 0x3FE6A09E667F3BCD
    e = shifted >> 52
    m = from_bits((shifted & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD)
    k = np.float64(e) - (54.0 if small else 0.0)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = fma(z, 1.479819860511658591e-01, 1.531383769920937332e-01)
    p = fma(z, p, 1.818357216161805012e-01)
    p = fma(z, p, 2.222219843214978396e-01)
    p = fma(z, p, 2.857142874366239149e-01)
    p = fma(z, p, 3.999999999940941908e-01)
    p = fma(z, p, 6.666666666666735130e-01)
    h = 0.5 * f * f
    value = fma(k, 6.93147180369123816490e-01, -((h - fma(s, h + z * p, k * 1.90821492927058770002e-10)) - f))
    value = value if x < np.inf else x
    value = -np.inf if x == 0.0 else value
    return np.nan if x < 0.0 else value


# --- single precision through double: correctly rounded but for rare ties ----------------------------


@_inline
def exp32(x):
    """Exponential of a float."""
    return np.float32(exp64(np.float64(x)))


@_inline
def tanh32(x):
    """Hyperbolic tangent of a float."""
    return np.float32(tanh64(np.float64(x)))


@_inline
def log32(x):
    """Natural logarithm of a float."""
    return np.float32(log64(np.float64(x)))


FAST = ("sin", "cos", "tan", "exp", "log", "tanh")
"""Functions that have a fast form here; the others (sqrt apart, an instruction) are the C library's."""
