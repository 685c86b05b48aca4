"""What generated code depends on besides the equation and the method, and how a kernel begins."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

from attns_core.kernels.elementary import FAST
from attns_core.kernels.source import Source

ENTRY = "solve"
"""Name of the compiled function in every generated module."""


@final
@dataclass(frozen=True, kw_only=True)
class Form:
    """Options of a kernel.

    Parameters
    ----------
    dtype : {"float64", "float32"}
    lanes : int
        Trajectories per block; 1 keeps the state in scalars.
    fastmath : bool
        Let the compiler reassociate and approximate; otherwise each operation rounds as written.
    exact : bool
        Call the C library's elementary functions in place of the vectorised ones.
    vector_bits : int
        Width of vectors to ask the compiler for; 0 leaves it to the compiler.
    varying : bool
        Each step has a start and a length of its own (arrays ``begins``, ``lengths``) in place of ``dt``.
    """

    dtype: str = "float64"
    lanes: int = 32
    fastmath: bool = False
    exact: bool = False
    vector_bits: int = 0
    varying: bool = False

    @property
    def steps(self) -> str:
        """The kernel's arguments for the lengths of steps."""
        return "begins, lengths" if self.varying else "dt"

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return 8 if self.dtype == "float64" else 4

    @property
    def function(self) -> Callable[[str], str]:
        """Maps an elementary function to the name that generated code calls for it."""
        suffix = self.dtype[-2:]
        return lambda name: f"{name}{suffix}" if name in FAST and not self.exact else f"math.{name}"


@final
@dataclass(frozen=True)
class Generated:
    """Source of a kernel and the record's nodes whose values it expects in ``c``."""

    source: str
    parameters: tuple[int, ...]

    @property
    def has_limits(self) -> bool:
        """Whether a NaN may stem from an argument outside a fast function's range."""
        calls = (f"{name}{bits}(" for name in ("sin", "cos", "tan", "wave") for bits in ("64", "32"))
        return "else np.nan" in self.source or any(call in self.source for call in calls)


@contextmanager
def each_step(out: Source, form: Form, scaled: Sequence[str], *, timed: bool = True) -> Iterator[None]:
    """The steps of saving interval ``i``, with ``t`` and ``dt``; ``scaled`` are statements that depend on ``dt``.

    Steps of one length have had ``scaled`` written before all loops; varying ones count in ``step``.
    """
    with out.block("for j in range(counts[i])"):
        if form.varying:
            out.line("dt = lengths[step]")
            out.line("t = begins[step]")
            out.lines(scaled)
        elif timed:
            out.line("t = t_save[i] + j * dt")
        yield
        if form.varying:
            out.line("step += 1")


def begin(form: Form, also: tuple[str, ...] = ()) -> Source:
    """Imports and constants of a generated module."""
    out = Source()
    names = sorted({"fma", *(f"{name}{form.dtype[-2:]}" for name in FAST), *also})
    out.lines(
        [
            '"""Generated; see attns_core/kernels."""',
            "",
            "import math",
            "",
            "import numpy as np",
            "from numba import njit",
            "",
            f"from attns_core.kernels.elementary import {', '.join(names)}",
            "from attns_core.kernels.vectors import align_stack, ask_for, empty_rows, prefer_vector_bits",
            "from attns_core.kernels.statements import statements",
            "",
            f"F = np.{form.dtype}",
            f"L = {form.lanes}",
        ]
    )
    out.place_definitions()
    out.lines(["", ""])
    return out


@contextmanager
def entry(out: Source, form: Form, arguments: str) -> Iterator[None]:
    """The entry function: numba's options, its head, and what comes first in it."""
    # Not numba's fastmath=True: NaN and infinity must survive, for they say that a solution is lost.
    flags = '{"contract", "reassoc", "arcp", "nsz", "afn"}' if form.fastmath else "False"
    out.line(f'@njit(error_model="numpy", nogil=True, fastmath={flags})')
    with out.block(f"def {ENTRY}({arguments})"):
        out.line("align_stack()")
        if form.vector_bits:
            out.line(f"prefer_vector_bits({form.vector_bits})")
        top = out.mark()
        yield
        if out.held:
            out.insert(top, f"held = empty_rows({out.held} * L, F)")
