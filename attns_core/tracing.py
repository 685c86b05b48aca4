"""Tracing: one call of a right-hand side with symbols yields everything else that is derived from it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, final

import numpy as np
import sympy as sp

from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.identity import content_hash
from attns_core.program import Assignment, Program, share
from attns_core.traced import Scope, Traced, expression_of

_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|chi|psi|omega"
)


@final
@dataclass(frozen=True, eq=False)
class Trace:
    """Expressions of an equation's right-hand side.

    Parameters
    ----------
    t : Symbol
    u : tuple of Symbol, length dim
    p : tuple of Symbol
        One per numeric parameter, in the order of ``Params.numeric()``.
    definitions : tuple of (Symbol, Expr)
        Large intermediate values of the right-hand side, each in terms of those before it.
    outputs : tuple of Expr, length dim
        The derivatives in terms of ``t``, ``u``, ``p`` and the definitions.
    names, parameter_names : tuple of str
        For LaTeX.
    """

    t: sp.Symbol
    u: tuple[sp.Symbol, ...]
    p: tuple[sp.Symbol, ...]
    definitions: tuple[Assignment, ...]
    outputs: tuple[sp.Expr, ...]
    names: tuple[str, ...]
    parameter_names: tuple[str, ...]

    @cached_property
    def program(self) -> Program:
        """The right-hand side for code generators: ``dim`` outputs."""
        return share(self.definitions, self.outputs)

    @cached_property
    def jacobian_program(self) -> Program:
        """``d rhs_i / d u_j`` for code generators: ``dim * dim`` outputs, row-major, zeros included."""
        definitions: list[Assignment] = list(self.definitions)
        gradients: dict[sp.Symbol, dict[int, sp.Expr]] = {v: {j: sp.Integer(1)} for j, v in enumerate(self.u)}
        for symbol, value in self.definitions:
            gradients[symbol] = {}
            for j, slope in _gradient(value, gradients).items():
                if not slope.is_Atom:
                    name = sp.Symbol(f"d{len(definitions)}", real=True)
                    definitions.append((name, slope))
                    slope = name
                gradients[symbol][j] = slope
        rows = [_gradient(e, gradients) for e in self.outputs]
        zero = sp.Integer(0)
        return share(definitions, [row.get(j, zero) for row in rows for j in range(len(self.u))])

    @cached_property
    def rhs(self) -> tuple[sp.Expr, ...]:
        """The derivatives in terms of ``t``, ``u`` and ``p`` alone, definitions written out.

        For formulas and small systems: its size can be exponential in the number of definitions.
        """
        return _written_out(self.definitions, self.outputs)

    @cached_property
    def jacobian(self) -> tuple[tuple[sp.Expr, ...], ...]:
        """``d rhs_i / d u_j`` written out; piecewise expressions are differentiated piece by piece."""
        dim = len(self.u)
        program = self.jacobian_program
        flat = _written_out(program.assignments, program.outputs)
        return tuple(tuple(flat[i * dim : (i + 1) * dim]) for i in range(dim))

    @cached_property
    def time_derivative(self) -> tuple[sp.Expr, ...]:
        """``d rhs_i / d t``, written out."""
        if self.is_autonomous:
            return (sp.Integer(0),) * len(self.u)
        return tuple(sp.diff(e, self.t) for e in self.rhs)

    @property
    def is_autonomous(self) -> bool:
        return all(self.t not in needs for needs in self._dependencies)

    @cached_property
    def sparsity(self) -> Any:
        """Which components each derivative depends on, shape (dim, dim), bool."""
        return np.array([[v in needs for v in self.u] for needs in self._dependencies])

    @cached_property
    def _dependencies(self) -> list[set[Any]]:
        """Inputs that each derivative depends on, through the definitions."""
        behind: dict[Any, set[Any]] = {}

        def inputs(expression: Any) -> set[Any]:
            return set().union(*(behind.get(s, {s}) for s in expression.free_symbols))

        for symbol, value in self.definitions:
            behind[symbol] = inputs(value)
        return [inputs(e) for e in self.outputs]

    @cached_property
    def halves(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Index sets (positions, velocities) of a separable system ``q' = g(v), v' = f(q, t)``, or None.

        Separable means: no derivative depends on a component of its own set, and time acts on
        velocities alone. Found by colouring the dependency graph; in each connected part the positions
        are the half whose derivatives are free of time or, where both are, take fewer operations
        (``q' = v / m``).
        """
        linked = self.sparsity | self.sparsity.T
        if np.any(np.diag(linked)):
            return None
        colour = [-1] * len(self.u)
        positions: list[int] = []
        velocities: list[int] = []
        for start in range(len(self.u)):
            if colour[start] >= 0:
                continue
            part = _two_coloured(linked, start, colour)
            if part is None or not all(part):
                return None
            first, second = sorted(part, key=self._weight)
            if any(self.t in self._dependencies[i] for i in first):
                return None
            positions += first
            velocities += second
        return tuple(sorted(positions)), tuple(sorted(velocities))

    def _weight(self, half: list[int]) -> tuple[bool, int]:
        """How unlike positions the components ``half`` are: driven by time, then costly."""
        return any(self.t in self._dependencies[i] for i in half), sum(self._cost(i) for i in half)

    def _cost(self, i: int) -> int:
        # A derivative that uses a definition is large: that is what definitions are for.
        names = {s for s, _ in self.definitions}
        expression = self.outputs[i]
        return int(sp.count_ops(expression)) + 1000 * len(names & expression.free_symbols)

    @property
    def operations(self) -> int:
        """Weighted floating-point operations of one evaluation, common subexpressions shared."""
        return self.program.operations

    def latex(self) -> str:
        """The system as a LaTeX ``aligned`` environment; long systems show their first and last rows."""
        rows = self.latex_rows()
        if len(rows) > 8:
            rows = (*rows[:4], r"&\;\;\vdots", *rows[-2:])
        return r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}"

    def latex_rows(self) -> tuple[str, ...]:
        """One ``\\dot{x} &= ...`` per component, definitions written out."""
        names = {s: symbol_latex(n) for s, n in zip(self.u, self.names, strict=True)}
        names |= {s: symbol_latex(n) for s, n in zip(self.p, self.parameter_names, strict=True)}
        return tuple(
            f"{symbol_latex(n, 'dot')} &= {sp.latex(_simple_numbers(e), symbol_names=names, fold_frac_powers=True)}"
            for n, e in zip(self.names, self.rhs, strict=True)
        )


def trace(equation: Equation) -> Trace:
    """Trace an equation (cached by its right-hand side and its structural parameters).

    Raises
    ------
    AttnsError
        If the right-hand side cannot be traced: it raises with symbols, or returns the wrong number of
        components.
    """
    p = equation.p
    key = content_hash([equation.name, p.structural(), p.numeric_names(), equation.dim])
    return _trace(key, _Holder(equation))


class _Holder:
    """Carries the equation through the cache; equal where the right-hand side is the same function."""

    def __init__(self, equation: Equation) -> None:
        self.equation = equation

    def __hash__(self) -> int:
        return hash(self.equation.rhs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Holder) and self.equation.rhs is other.equation.rhs


@lru_cache(maxsize=256)
def _trace(key: str, holder: _Holder) -> Trace:
    equation = holder.equation
    scope = Scope()
    t = sp.Symbol("t", real=True)
    u = tuple(sp.Symbol(f"u{i}", real=True) for i in range(equation.dim))
    names = tuple(equation.p.numeric_names())
    p = tuple(sp.Symbol(f"p{i}", real=True) for i in range(len(names)))

    def traced(symbol: sp.Symbol) -> Traced:
        return Traced(symbol, 1, scope)

    try:
        parameters = equation.p.replaced_by(tuple(map(traced, p)))
        values = equation.rhs(traced(t), tuple(map(traced, u)), parameters, scope.maths())
        outputs = tuple(expression_of(v) for v in values)
    except Exception as error:
        raise AttnsError(
            f"equation {equation.name!r}: its right-hand side cannot be traced with symbols "
            f"({type(error).__name__}: {error}); use + - * / ** and the functions of m only, and write m.where for if"
        ) from error
    if len(outputs) != equation.dim:
        raise AttnsError(
            f"equation {equation.name!r}: its right-hand side returned {len(outputs)} components, "
            f"the state has {equation.dim}"
        )
    definitions = tuple((symbol, value) for value, symbol in scope.definitions.items())
    return Trace(t, u, p, definitions, outputs, equation.component_names, names)


def _gradient(expression: Any, gradients: dict[sp.Symbol, dict[int, sp.Expr]]) -> dict[int, sp.Expr]:
    """Chain rule: the slope of ``expression`` by every component it depends on."""
    terms: dict[int, list[Any]] = {}
    for symbol in sorted((s for s in expression.free_symbols if s in gradients), key=lambda s: s.name):
        slope = sp.diff(expression, symbol)
        for j, inner in gradients[symbol].items():
            terms.setdefault(j, []).append(slope * inner)
    return {j: sp.Add(*parts) for j, parts in terms.items()}


def _written_out(definitions: tuple[Assignment, ...], outputs: Sequence[Any]) -> tuple[Any, ...]:
    values: dict[Any, Any] = {}
    for symbol, value in definitions:
        values[symbol] = value.xreplace(values)
    return tuple(e.xreplace(values) for e in outputs)


def symbol_latex(name: str, accent: str = "") -> str:
    """LaTeX of a component's or parameter's name: ``theta_1`` and ``l0`` get indices, words stand upright."""
    stem, _, index = re.sub(r"^([a-zA-Z]+?)(\d+)$", r"\1_\2", name.replace("[", "_").rstrip("]")).partition("_")
    if len(stem) > 1:
        stem = rf"\{stem}" if _GREEK.fullmatch(stem) else rf"\mathrm{{{stem}}}"
    stem = rf"\{accent}{{{stem}}}" if accent else stem
    return f"{stem}_{{{index}}}" if index else stem


def _simple_numbers(expression: Any) -> Any:
    """Floats as formulas print them: 2 for 2.0, 1/3 for 0.333..., 1.71 as it is."""
    simple = {}
    for number in expression.atoms(sp.Float):
        value = float(number)
        ratio = Fraction(value).limit_denominator(12)
        if float(ratio) == value and (ratio.denominator == 1 or len(repr(value)) > 8):
            simple[number] = sp.Rational(ratio.numerator, ratio.denominator)
    return expression.xreplace(simple)


def _two_coloured(linked: Any, start: int, colour: list[int]) -> tuple[list[int], list[int]] | None:
    """Split the connected part of ``start`` such that no half is linked within itself; None if impossible."""
    colour[start] = 0
    halves: tuple[list[int], list[int]] = ([start], [])
    queue = [start]
    while queue:
        i = queue.pop()
        for j in map(int, np.flatnonzero(linked[i])):
            if colour[j] < 0:
                colour[j] = 1 - colour[i]
                halves[colour[j]].append(j)
                queue.append(j)
            elif colour[j] == colour[i]:
                return None
    return halves
