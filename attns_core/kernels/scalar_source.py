"""Source text of one-trajectory functions from symbolic programs, for solvers that take one state at a time.

Divisions by zero yield infinities, as on NumPy arrays, and do not raise.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sympy.printing.pycode import PythonCodePrinter


class _Printer(PythonCodePrinter):
    """SymPy to scalar Python that numba compiles; ``sign(0)`` is 0 as in NumPy."""

    def _print_sign(self, expr: Any) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        x = self._print(expr.args[0])
        return f"(1.0 if {x} > 0 else (-1.0 if {x} < 0 else 0.0))"

    def _print_DiracDelta(self, expr: Any) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        # The slope of a jump: zero everywhere it can be evaluated.
        return "0.0"

    def _print_Integer(self, e: Any) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        # Whole numbers beyond int64 do not compile; as floats they are what the formula means.
        return f"{float(e)!r}" if abs(int(e)) > 2**31 else str(int(e))


def rhs_source(
    t: Any, u: Sequence[Any], p: Sequence[Any], assignments: Iterable[tuple[Any, Any]], outputs: Sequence[Any]
) -> str:
    """Text of a module that defines ``rhs(t, u, du, p)``, which writes ``du``, all arrays flat."""
    targets = [(f"du[{i}]", e) for i, e in enumerate(outputs)]
    return _module("rhs", "du", t, u, p, assignments, targets)


def jacobian_source(
    t: Any, u: Sequence[Any], p: Sequence[Any], assignments: Iterable[tuple[Any, Any]], outputs: Sequence[Any]
) -> str:
    """Text of a module that defines ``jacobian(t, u, out, p)``, which writes the entries that are not zero.

    ``outputs`` are the ``dim * dim`` derivatives, row-major, as ``Trace.jacobian_program`` has them.
    """
    dim = len(u)
    targets = [(f"out[{i // dim}, {i % dim}]", e) for i, e in enumerate(outputs) if e != 0]
    return _module("jacobian", "out", t, u, p, assignments, targets)


def _module(
    name: str,
    out: str,
    t: Any,
    u: Sequence[Any],
    p: Sequence[Any],
    assignments: Iterable[tuple[Any, Any]],
    targets: Sequence[tuple[str, Any]],
) -> str:
    printer = _Printer({"fully_qualified_modules": True})
    values = [*assignments, *targets]
    used = set().union(*(e.free_symbols for _, e in values)) if values else set()
    lines = [f"{s} = u[{i}]" for i, s in enumerate(u) if s in used]
    lines += [f"{s} = p[{i}]" for i, s in enumerate(p) if s in used]
    lines += [f"{s} = {printer.doprint(e)}" for s, e in values]
    body = "\n    ".join(lines or ["pass"])
    head = 'import math\n\nimport numba\n\n\n@numba.njit(error_model="numpy")\n'
    return f"{head}def {name}({t}, u, {out}, p):\n    {body}\n"
