"""Derivatives of a traced right-hand side as NumPy functions over a batch of trajectories."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, final

import numpy as np
import sympy as sp

from attns_core.equation import Equation
from attns_core.program import Program, share
from attns_core.tracing import trace
from attns_core.types import Array


@final
class Derivatives:
    """``df/du`` and ``df/dt`` of an equation, compiled to Python source on first use."""

    def __init__(self, equation: Equation) -> None:
        self.dim = equation.dim
        self.p = equation.p.numeric()
        self.trace = trace(equation)

    def jacobian(self, t: Any, u: Array) -> Array:
        """``df_i/du_j`` for states ``u`` of shape (dim, n): shape (n, dim, dim), ready for batched solves."""
        out = np.empty((self.dim * self.dim, u.shape[1]), dtype=u.dtype)
        for i, value in enumerate(self._jacobian(t, u, self.p)):
            out[i] = value
        return np.ascontiguousarray(out.reshape(self.dim, self.dim, -1).transpose(2, 0, 1))

    def time_derivative(self, t: Any, u: Array) -> Array:
        """``df_i/dt`` for states ``u`` of shape (dim, n), the same shape."""
        out = np.zeros_like(u)
        if not self.trace.is_autonomous:
            for i, value in enumerate(self._time_derivative(t, u, self.p)):
                out[i] = value
        return out

    @cached_property
    def _jacobian(self) -> Callable[..., Any]:
        return self._function(self.trace.jacobian_program)

    @cached_property
    def _time_derivative(self) -> Callable[..., Any]:
        return self._function(share((), self.trace.time_derivative))

    def _function(self, program: Program) -> Callable[..., Any]:
        printer: Any = _printer()
        traced = self.trace
        used = {s for e in (*(e for _, e in program.assignments), *program.outputs) for s in sp.sympify(e).free_symbols}
        lines = ["def fill(t, u, p):"]
        for array, symbols in (("u", traced.u), ("p", traced.p)):
            lines += [f"    {s} = {array}[{i}]" for i, s in enumerate(symbols) if s in used]
        lines += [f"    {s} = {printer.doprint(e)}" for s, e in program.assignments]
        lines += ["    return (" + "".join(f"{printer.doprint(e)}, " for e in program.outputs) + ")"]
        names: dict[str, Any] = dict(vars(np))
        exec(compile("\n".join(lines), "<derivatives>", "exec"), names)
        return names["fill"]


def _printer() -> Any:
    from sympy.printing.numpy import NumPyPrinter

    class Printer(NumPyPrinter):
        def _print_DiracDelta(self, expr: Any) -> str:
            # The slope of a jump: zero everywhere it can be evaluated.
            return "0.0"

    return Printer({"fully_qualified_modules": False})
