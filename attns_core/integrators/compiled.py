"""An equation's traced formula as compiled scalar functions: one trajectory at a time, no batching."""

from typing import Any

import sympy as sp
from sympy.printing.pycode import PythonCodePrinter

from attns_core.backends.numba_record import with_long_sums
from attns_core.equation import Equation
from attns_core.kernels.cache import load_kernel
from attns_core.kernels.recorded_source import function_source, jacobian_nodes, rhs_targets
from attns_core.program import Program
from attns_core.tracing import Trace, trace

RHS_SIGNATURE = "void(float64, float64[::1], float64[::1], float64[::1])"
"""``f(t, u, p, du)``: fills ``du``; the Jacobian fills a flat row-major array of ``dim * dim``."""


class _Printer(PythonCodePrinter):
    """Python with ``math`` functions; ``sign(0)`` is 0 as in NumPy."""

    def _print_sign(self, e: Any) -> str:
        x = self._print(e.args[0])
        return f"(0.0 if {x} == 0 else math.copysign(1, {x}))"

    def _print_DiracDelta(self, expr: Any) -> str:
        # The slope of a jump: zero everywhere it can be evaluated.
        return "0.0"

    def _print_Integer(self, expr: Any) -> str:
        return f"{int(expr)}.0"

    def _print_Rational(self, expr: Any) -> str:
        return f"({expr.p}.0/{expr.q}.0)"

    def _print_Pow(self, expr: Any, rational: bool = False) -> str:
        base, exponent = expr.as_base_exp()
        if exponent.is_Integer:
            # An integer exponent stays one: compiled to multiplications.
            return f"({self._print(base)})**({int(exponent)})"
        return super()._print_Pow(expr, rational)


def compiled_rhs(equation: Equation) -> Any:
    """The right-hand side as ``f(t, u, p, du)``, compiled for :data:`RHS_SIGNATURE`."""
    graph = with_long_sums(equation)
    if graph is not None:
        return _compile(function_source(graph, "fill", "t, u, p, out", rhs_targets(graph, "out")))
    traced = trace(equation)
    return _compile(_source(traced, traced.program))


def compiled_jacobian(equation: Equation) -> Any:
    """``df/du`` as ``f(t, u, p, out)``, ``out`` flat and row-major, for :data:`RHS_SIGNATURE`."""
    graph = with_long_sums(equation)
    if graph is not None:
        dim = equation.dim
        targets = {f"out[{i * dim + j}]": node for (i, j), node in jacobian_nodes(graph).items()}
        zeros = [f"out[{k}]" for k in range(dim * dim) if f"out[{k}]" not in targets]
        return _compile(function_source(graph, "fill", "t, u, p, out", targets, zeros))
    traced = trace(equation)
    return _compile(_source(traced, traced.jacobian_program))


def _compile(source: str) -> Any:
    function = load_kernel(source, "fill")
    if not function.signatures:
        function.compile(RHS_SIGNATURE)
    return function


def _source(traced: Trace, program: Program) -> str:
    printer: Any = _Printer({"fully_qualified_modules": True, "strict": False})
    used = {s for _, e in program.assignments for s in e.free_symbols} | {
        s for e in program.outputs for s in sp.sympify(e).free_symbols
    }
    lines = ["import math", "", "import numba", "", ""]
    lines += ['@numba.njit(error_model="numpy")', "def fill(t, u, p, out):"]
    for array, symbols in (("u", traced.u), ("p", traced.p)):
        lines += [f"    {s} = {array}[{i}]" for i, s in enumerate(symbols) if s in used]
    lines += [f"    {s} = {printer.doprint(e)}" for s, e in program.assignments]
    lines += [f"    out[{i}] = {printer.doprint(e)}" for i, e in enumerate(program.outputs)]
    return "\n".join(lines) + "\n"
