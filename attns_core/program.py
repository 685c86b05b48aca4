"""Straight-line programs: expressions with their common subexpressions assigned once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, final

import sympy as sp

from attns_core.maths import COST, DIVISION

Assignment: TypeAlias = tuple[sp.Symbol, sp.Expr]
"""A new symbol and its value in terms of inputs and symbols assigned before it."""


@final
@dataclass(frozen=True, eq=False)
class Program:
    """Assignments in dependency order, then outputs: what a code generator prints line by line.

    Parameters
    ----------
    assignments : tuple of (Symbol, Expr)
        Each expression uses inputs and symbols assigned before it.
    outputs : tuple of Expr
    """

    assignments: tuple[Assignment, ...]
    outputs: tuple[sp.Expr, ...]

    @cached_property
    def operations(self) -> int:
        """Weighted floating-point operations of one run."""
        return sum(_operations(e) for e in [*(e for _, e in self.assignments), *self.outputs])


def share(definitions: Sequence[Assignment], outputs: Sequence[sp.Expr], prefix: str = "x") -> Program:
    """Eliminate common subexpressions over definitions and outputs together; unused definitions go."""
    symbols = [s for s, _ in definitions]
    names = (sp.Symbol(f"{prefix}{i}", real=True) for i in range(10**9))
    found: Any = sp.cse([*(e for _, e in definitions), *outputs], symbols=names)
    shared, reduced = found
    values: dict[sp.Symbol, sp.Expr] = {**dict(shared), **dict(zip(symbols, reduced, strict=False))}
    kept = tuple(reduced[len(symbols) :])
    return Program(tuple((s, values[s]) for s in _ordered(values, kept)), kept)


def _ordered(values: dict[sp.Symbol, sp.Expr], outputs: Sequence[sp.Expr]) -> list[sp.Symbol]:
    """The symbols that ``outputs`` need, each after those it needs itself (depth first, no recursion)."""
    order: list[sp.Symbol] = []
    done: set[Any] = set()
    stack = [s for e in reversed(outputs) for s in _needs(e, values)]
    while stack:
        symbol = stack[-1]
        missing = [s for s in _needs(values[symbol], values) if s not in done]
        if missing and symbol not in done:
            stack.extend(missing)
            continue
        stack.pop()
        if symbol not in done:
            done.add(symbol)
            order.append(symbol)
    return order


def _needs(expression: sp.Expr, values: dict[sp.Symbol, sp.Expr]) -> list[sp.Symbol]:
    # Sorted, because sets of symbols have no order of their own and generated code must not change.
    free: Any = expression.free_symbols
    return sorted((s for s in free if s in values), key=lambda s: s.name)


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
                count += max(0, power.bit_length() + bin(power).count("1") - 2)
                count += DIVISION if exponent.is_negative else 0
            else:
                count += 12 if exponent == sp.Rational(1, 2) else 40
        elif isinstance(node, sp.Function):
            count += COST.get(type(node).__name__.lower(), 1)
    return count
