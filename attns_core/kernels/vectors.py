"""How wide the vectors of a kernel are, and where they stand on the stack and in work arrays.

The compiler avoids the widest vectors of some processors, because the first of them lowered their
clock for it. Where that is past (processors with AVX512-FP16, that is Sapphire Rapids and later), kernels
ask for the full width. Without fast-math, the width changes no result: lanes never meet.
"""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

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


LINE = 64
"""Bytes of a line of the cache, which the widest vectors fill."""


@_intrinsic
def empty_rows(context: Any, size: Any, dtype: Any) -> Any:
    """``np.empty(size, dtype)`` that begins with a line of the cache, as numba's own need not.

    Vectors across two lines would be read and written at half the rate, or not, by chance.
    """
    array = types.Array(dtype.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        intp = context.get_value_type(types.intp)
        n = context.cast(builder, args[0], signature.args[0], types.intp)
        itemsize = intp(context.get_abi_sizeof(context.get_data_type(array.dtype)))
        memory = context.nrt.meminfo_alloc_aligned(builder, builder.mul(n, itemsize), LINE)
        made = context.make_array(array)(context, builder)
        data = builder.bitcast(context.nrt.meminfo_data(builder, memory), made.data.type)
        populate_array(made, data=data, shape=[n], strides=[itemsize], itemsize=itemsize, meminfo=memory)
        return made._getvalue()

    return array(size, dtype), generate


@_intrinsic
def ask_for(context: Any, array: Any, row: Any, component: Any, lane: Any) -> Any:
    """Have the line of the cache with an element brought near, to be written to soon. Returns 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, *kinds = signature.args
        places = [context.cast(builder, a, t, types.intp) for a, t in zip(args[1:], kinds, strict=True)]
        own = context.make_array(kind)(context, builder, args[0])
        address = builder.bitcast(cgutils.get_item_pointer(context, builder, kind, own, places), cgutils.voidptr_t)
        i32 = ir.IntType(32)
        ask = builder.module.declare_intrinsic(
            "llvm.prefetch", [cgutils.voidptr_t], ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, i32, i32, i32])
        )
        # To write; to be kept in all caches; data.
        builder.call(ask, [address, i32(1), i32(3), i32(1)])
        return context.get_constant(types.intp, 0)

    return types.intp(array, row, component, lane), generate


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


@lru_cache
def nearest_cache(caches: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> int:
    """Bytes of the processor's first data cache; 48 KB where the system does not tell."""
    for cache in sorted(caches.glob("index*")):
        with suppress(OSError, ValueError):
            level, kind, size = ((cache / fact).read_text().strip() for fact in ("level", "type", "size"))
            if level == "1" and kind != "Instruction":
                return int(size.removesuffix("K")) * 1024
    return 48 * 1024


@lru_cache
def registers() -> int:
    """Registers for vectors that the processor has."""
    try:
        return 32 if binding.get_host_cpu_features().get("avx512vl") else 16
    except RuntimeError:
        return 16


@lru_cache
def has_estimates() -> bool:
    """Whether the processor estimates 16 reciprocals at a time (AVX-512)."""
    try:
        return bool(binding.get_host_cpu_features().get("avx512f"))
    except RuntimeError:
        return False
