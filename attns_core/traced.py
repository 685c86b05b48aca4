"""Traced values: what a right-hand side is called with to record its formula.

A plain SymPy expression grows as a tree: local variables that the author reuses are copied into every
use, which is exponential in the depth of an elimination. A traced value names its expression as soon
as it is large, so that recording, differentiating and printing stay linear in the work the author wrote.
"""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, final

import sympy as sp

from attns_core.maths import FUNCTIONS

# Small systems stay whole, so that their LaTeX is their formula.
_LARGEST = 48


@final
class Scope:
    """The named intermediate expressions of one trace, in order of definition."""

    def __init__(self) -> None:
        self.definitions: dict[sp.Expr, sp.Symbol] = {}

    def lift(self, expression: Any, size: int) -> "Traced":
        """A traced value for ``expression``, named once ``size`` operations went into it."""
        expression = sp.sympify(expression)
        if size <= _LARGEST or expression.is_Atom:
            return Traced(expression, size, self)
        name = self.definitions.setdefault(expression, sp.Symbol(f"v{len(self.definitions)}", real=True))
        return Traced(name, 1, self)

    def maths(self) -> Any:
        """The maths namespace over traced values."""

        def lifted(function: Any) -> Callable[[Any], Traced]:
            return lambda x: self.lift(function(expression_of(x)), size_of(x) + 1)

        def where(condition: Any, a: Any, b: Any) -> Traced:
            chosen = sp.Piecewise((expression_of(a), expression_of(condition)), (expression_of(b), True))
            return self.lift(chosen, size_of(a) + size_of(b) + 2)

        names = {n: "Abs" if n == "abs" else n for n in FUNCTIONS if n != "where"}
        return SimpleNamespace(pi=math.pi, where=where, **{n: lifted(getattr(sp, name)) for n, name in names.items()})


@final
class Traced:
    """An expression with arithmetic and comparisons."""

    __slots__ = ("expression", "scope", "size")
    # NumPy scalars on the left leave the operation to this class instead of making an object array.
    __array_ufunc__ = None

    def __init__(self, expression: Any, size: int, scope: Scope) -> None:
        self.expression, self.size, self.scope = expression, size, scope

    def _with(self, other: Any, expression: Any) -> "Traced":
        return self.scope.lift(expression, self.size + size_of(other) + 1)

    def __add__(self, other: Any) -> "Traced":
        return self._with(other, self.expression + expression_of(other))

    __radd__ = __add__

    def __mul__(self, other: Any) -> "Traced":
        return self._with(other, self.expression * expression_of(other))

    __rmul__ = __mul__

    def __sub__(self, other: Any) -> "Traced":
        return self._with(other, self.expression - expression_of(other))

    def __rsub__(self, other: Any) -> "Traced":
        return self._with(other, expression_of(other) - self.expression)

    def __truediv__(self, other: Any) -> "Traced":
        return self._with(other, self.expression / expression_of(other))

    def __rtruediv__(self, other: Any) -> "Traced":
        return self._with(other, expression_of(other) / self.expression)

    def __pow__(self, other: Any) -> "Traced":
        return self._with(other, self.expression ** expression_of(other))

    def __rpow__(self, other: Any) -> "Traced":
        return self._with(other, expression_of(other) ** self.expression)

    def __neg__(self) -> "Traced":
        return Traced(-self.expression, self.size, self.scope)

    def __pos__(self) -> "Traced":
        return self

    def __abs__(self) -> "Traced":
        return self.scope.lift(sp.Abs(self.expression), self.size + 1)

    def __lt__(self, other: Any) -> Any:
        return self.expression < expression_of(other)

    def __le__(self, other: Any) -> Any:
        return self.expression <= expression_of(other)

    def __gt__(self, other: Any) -> Any:
        return self.expression > expression_of(other)

    def __ge__(self, other: Any) -> Any:
        return self.expression >= expression_of(other)

    def __bool__(self) -> bool:
        raise TypeError("the truth of a traced value is not known; write m.where(condition, a, b)")


def expression_of(value: Any) -> Any:
    """The SymPy expression of a traced value; numbers and conditions as they are."""
    return value.expression if isinstance(value, Traced) else sp.sympify(value)


def size_of(value: Any) -> int:
    return value.size if isinstance(value, Traced) else 1
