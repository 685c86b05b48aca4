"""Tracing: one call of a right-hand side with symbols yields everything else that is derived from it."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, final

import numpy as np
import sympy as sp

from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.identity import content_hash, source_hash
from attns_core.maths import sympy_maths

# Weights of the operation count: what a vectorised double-precision kernel pays, in multiples of an
# addition (a division retires at a quarter to an eighth of the rate, a sine is a 20-term kernel).
_COST = {"sin": 20, "cos": 20, "tan": 30, "exp": 15, "log": 20, "tanh": 25, "sinh": 25, "cosh": 25}


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
    rhs : tuple of Expr, length dim
    names : tuple of str
        Component names, for LaTeX.
    """

    t: sp.Symbol
    u: tuple[sp.Symbol, ...]
    p: tuple[sp.Symbol, ...]
    rhs: tuple[sp.Expr, ...]
    names: tuple[str, ...]
    parameter_names: tuple[str, ...]

    @cached_property
    def jacobian(self) -> tuple[tuple[sp.Expr, ...], ...]:
        """``d rhs_i / d u_j``; piecewise expressions are differentiated piece by piece."""
        dependent = [e.free_symbols for e in self.rhs]
        return tuple(
            tuple(sp.diff(e, v) if v in free else sp.Integer(0) for v in self.u)
            for e, free in zip(self.rhs, dependent, strict=True)
        )

    @cached_property
    def time_derivative(self) -> tuple[sp.Expr, ...]:
        """``d rhs_i / d t``."""
        return tuple(sp.diff(e, self.t) for e in self.rhs)

    @property
    def is_autonomous(self) -> bool:
        return all(self.t not in e.free_symbols for e in self.rhs)

    @cached_property
    def sparsity(self) -> Any:
        """Which components each derivative depends on, shape (dim, dim), bool."""
        return np.array([[v in e.free_symbols for v in self.u] for e in self.rhs])

    @cached_property
    def halves(self) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """Index sets (positions, velocities) of a separable system, or None.

        Separable means: no derivative depends on a component of its own set. Found by colouring the
        dependency graph; the set that holds the first component of each connected part that is a
        position (its derivative has no time and no parameters beyond a factor) comes first.
        """
        dim = len(self.u)
        linked = self.sparsity | self.sparsity.T
        if np.any(np.diag(self.sparsity)):
            return None
        colour = [-1] * dim
        for start in range(dim):
            if colour[start] >= 0:
                continue
            colour[start] = 0
            queue = [start]
            while queue:
                i = queue.pop()
                for j in np.flatnonzero(linked[i]):
                    if colour[j] < 0:
                        colour[j] = 1 - colour[i]
                        queue.append(int(j))
                    elif colour[j] == colour[i]:
                        return None
        first = tuple(i for i in range(dim) if colour[i] == 0)
        second = tuple(i for i in range(dim) if colour[i] == 1)
        if not second:
            return None
        # Positions are the simpler half: q' = v / m has fewer operations than v' = f(q).
        cost = [sum(sp.count_ops(self.rhs[i]) for i in half) for half in (first, second)]
        return (first, second) if cost[0] <= cost[1] else (second, first)

    @cached_property
    def operations(self) -> int:
        """Weighted floating-point operations of one evaluation, common subexpressions shared."""
        shared, reduced = sp.cse(list(self.rhs))
        return sum(_operations(e) for e in [*(e for _, e in shared), *reduced])

    def latex(self) -> str:
        """The system as a LaTeX ``aligned`` environment."""
        names = {s: sp.Symbol(n) for s, n in zip(self.u, self.names, strict=True)}
        names |= {
            s: sp.Symbol(n.replace("[", "_").replace("]", ""))
            for s, n in zip(self.p, self.parameter_names, strict=True)
        }
        rows = [
            rf"\dot{{{sp.latex(names[v])}}} &= {sp.latex(e.xreplace(names))}"
            for v, e in zip(self.u, self.rhs, strict=True)
        ]
        if len(rows) > 8:
            rows = [*rows[:4], r"&\;\;\vdots", *rows[-2:]]
        return r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}"


def trace(equation: Equation) -> Trace:
    """Trace an equation (cached by the source of its right-hand side and its structural parameters).

    Raises
    ------
    AttnsError
        If the right-hand side cannot be traced: it raises with symbols, or returns the wrong number of
        components.
    """
    p = equation.p
    key = content_hash([equation.name, source_hash(equation.rhs), p.structural(), p.numeric_names(), equation.dim])
    return _trace(key, _Holder(equation))


class _Holder:
    """Carries the equation through the cache without being part of the key."""

    def __init__(self, equation: Equation) -> None:
        self.equation = equation

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Holder)


@lru_cache(maxsize=256)
def _trace(key: str, holder: _Holder) -> Trace:
    equation = holder.equation
    t = sp.Symbol("t", real=True)
    u = tuple(sp.Symbol(f"u{i}", real=True) for i in range(equation.dim))
    names = tuple(equation.p.numeric_names())
    p = tuple(sp.Symbol(f"p{i}", real=True) for i in range(len(names)))
    try:
        values = equation.rhs(t, u, equation.p.replaced_by(p), sympy_maths())
    except Exception as error:
        raise AttnsError(
            f"equation {equation.name!r}: its right-hand side cannot be traced with symbols "
            f"({type(error).__name__}: {error}); use + - * / ** and the functions of m only"
        ) from error
    if len(values) != equation.dim:
        raise AttnsError(
            f"equation {equation.name!r}: its right-hand side returned {len(values)} components, "
            f"the state has {equation.dim}"
        )
    rhs = tuple(sp.sympify(v) for v in values)
    return Trace(t, u, p, rhs, equation.component_names, names)


def _operations(expression: sp.Expr) -> int:
    count = 0
    for node in sp.preorder_traversal(expression):
        if isinstance(node, sp.Add | sp.Mul):
            count += len(node.args) - 1
            # -x is not an operation: it folds into a subtraction.
            count -= int(isinstance(node, sp.Mul) and node.args[0] == -1)
        elif isinstance(node, sp.Pow):
            exponent = node.args[1]
            if exponent.is_Integer:
                power = abs(int(exponent))
                count += max(0, power.bit_length() + bin(power).count("1") - 2) + (8 if exponent.is_negative else 0)
            else:
                count += 12 if exponent == sp.Rational(1, 2) else 40
        elif isinstance(node, sp.Function):
            count += _COST.get(type(node).__name__.lower(), 1)
    return count
