"""How wide the vectors of a kernel are, and where they stand on the stack.

The compiler avoids the widest vectors of some processors, because the first of them lowered their
clock for it. Where that is past (processors with AVX512-FP16, that is Sapphire Rapids and later), kernels
ask for the full width. Without fast-math, the width changes no result: lanes never meet.
"""

from functools import lru_cache
from typing import Any

from llvmlite import binding
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

_intrinsic: Any = intrinsic

WIDTHS = (0, 128, 256, 512)
"""Widths in bits that a kernel can ask for; 0 leaves the choice to the compiler."""


@_intrinsic(prefer_literal=True)
def prefer_vector_bits(context: Any, bits: Any) -> Any:
    """Ask for vectors of a width, a literal, in the function that this is called from."""
    if not isinstance(bits, types.IntegerLiteral):
        raise TypingError("the width of vectors must be a literal")
    attribute = f'"prefer-vector-width"="{bits.literal_value}"'

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        # llvmlite knows attributes without values only; as text they all look alike.
        set.add(builder.function.attributes, attribute)
        return context.get_dummy_value()

    return types.void(bits), generate


@_intrinsic
def align_stack(context: Any) -> Any:
    """Align the stack of the function that this is called from to the widest vectors.

    Without, values that outgrow the registers lie across two lines of the cache: kernels take 5 to 20 % longer.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        set.add(builder.function.attributes, "alignstack(64)")
        return context.get_dummy_value()

    return types.void(), generate


@lru_cache
def automatic_bits() -> int:
    """The width to ask for on this processor; 0 where the compiler's choice is good."""
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:
        return 0
    return 512 if features.get("avx512fp16") and features.get("avx512f") else 0


@lru_cache
def explicit_bits(asked: int) -> int:
    """The width of vectors that are written out: as asked, else the processor's usual one."""
    try:
        usual = 256 if binding.get_host_cpu_features().get("avx2") else 128
    except RuntimeError:
        usual = 128
    return asked or usual
