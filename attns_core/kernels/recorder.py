"""Recording a right-hand side: the operations it performs, in its author's order, each only once.

The function is called with :class:`Value` objects that write down what is done to them. Code emitted
from the record agrees with the function on NumPy arrays to round-off. The one liberty taken is that
dividing by a parameter becomes multiplying by its reciprocal.
"""

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, final

from attns_core.kernels.graph import FUNCTIONS, LANE, PARAMETER, TIME, Graph

_LARGEST_CHAIN = 16
"""Whole powers up to which a power becomes products."""


@final
class Value:
    """One recorded number: supports arithmetic, comparisons and the maths namespace's functions."""

    __slots__ = ("graph", "index")
    __array_ufunc__ = None  # NumPy scalars leave the operation to us

    def __init__(self, graph: Graph, index: int) -> None:
        self.graph = graph
        self.index = index

    def __hash__(self) -> int:
        return hash((id(self.graph), self.index))

    def __bool__(self) -> bool:
        raise TypeError("a right-hand side cannot branch on a value with 'if'; use m.where(condition, a, b)")

    def __float__(self) -> float:
        raise TypeError("a right-hand side must use the functions of m, not math or numpy")

    def __add__(self, other: Any) -> Any:
        return _binary("+", self, other)

    def __radd__(self, other: Any) -> Any:
        return _binary("+", other, self)

    def __sub__(self, other: Any) -> Any:
        return _binary("-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _binary("-", other, self)

    def __mul__(self, other: Any) -> Any:
        return _binary("*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _binary("*", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _binary("/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _binary("/", other, self)

    def __pow__(self, other: Any) -> Any:
        return _power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return _power(other, self)

    def __neg__(self) -> Any:
        return _unary("neg", self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return _unary("abs", self)

    def __lt__(self, other: Any) -> Any:
        return _binary("<", self, other)

    def __le__(self, other: Any) -> Any:
        return _binary("<=", self, other)

    def __gt__(self, other: Any) -> Any:
        return _binary(">", self, other)

    def __ge__(self, other: Any) -> Any:
        return _binary(">=", self, other)

    def __eq__(self, other: Any) -> Any:
        return _binary("==", self, other)

    def __ne__(self, other: Any) -> Any:
        return _binary("!=", self, other)

    def __and__(self, other: Any) -> Any:
        return _binary("&", self, other)

    def __or__(self, other: Any) -> Any:
        return _binary("|", self, other)

    def __invert__(self) -> Any:
        return _unary("~", self)


def record(
    function: Callable[[Value, tuple[Value, ...], tuple[Value, ...], Any], Sequence[Any]], dim: int, n_params: int
) -> Graph:
    """Record ``function(t, u, p, m)``, where ``u`` has ``dim`` and ``p`` ``n_params`` values.

    Raises
    ------
    TypeError
        If the function does something that cannot be recorded.
    ValueError
        If it returns the wrong number of values.
    """
    graph = Graph()
    t = Value(graph, graph.node("t", (), TIME))
    u = tuple(Value(graph, graph.node("u", (i,), LANE)) for i in range(dim))
    p = tuple(Value(graph, graph.node("p", (i,), PARAMETER)) for i in range(n_params))
    values = list(function(t, u, p, _maths()))
    if len(values) != dim:
        raise ValueError(f"returned {len(values)} components, the state has {dim}")
    graph.outputs = tuple(_lift(graph, v).index for v in values)
    return graph


def _maths() -> Any:
    functions = {name: _function(name) for name in FUNCTIONS}
    return SimpleNamespace(pi=math.pi, where=_where, **functions)


def _function(name: str) -> Callable[[Any], Any]:
    def call(x: Any) -> Any:
        if isinstance(x, Value):
            return _unary(name, x)
        import numpy as np

        return float(getattr(np, name)(x))

    return call


def _lift(graph: Graph, x: Any) -> Value:
    if isinstance(x, Value):
        if x.graph is not graph:
            raise TypeError("values of two recordings were mixed")
        return x
    return Value(graph, graph.constant(float(x)))


def _graph_of(*args: Any) -> Graph | None:
    return next((a.graph for a in args if isinstance(a, Value)), None)


def _unary(name: str, x: Value) -> Value:
    return Value(x.graph, x.graph.apply(name, x.index))


def _binary(name: str, a: Any, b: Any) -> Any:
    graph = _graph_of(a, b)
    assert graph is not None
    # The exact neutral cases that sums and products over lists start with.
    if name == "+" and _is(a, 0.0):
        return b
    if name in "+-" and _is(b, 0.0):
        return a
    if name == "*" and _is(a, 1.0):
        return b
    if name in "*/" and _is(b, 1.0):
        return a
    x, y = _lift(graph, a).index, _lift(graph, b).index
    if name == "/" and graph.levels[x] == LANE and graph.levels[y] < LANE:
        # One division per solve or step instead of one per trajectory; within a unit of rounding.
        return Value(graph, graph.apply("*", x, graph.apply("/", graph.constant(1.0), y)))
    return Value(graph, graph.apply(name, x, y))


def _is(x: Any, value: float) -> bool:
    return not isinstance(x, Value) and float(x) == value


def _power(base: Any, exponent: Any) -> Any:
    if not isinstance(exponent, Value):
        number = float(exponent)
        if number == 0.5:
            return _unary("sqrt", base)
        if number == 0.0:
            return 1.0
        if number.is_integer() and abs(number) <= _LARGEST_CHAIN:
            chain = _chain(base, int(abs(number)))
            return chain if number > 0 else 1.0 / chain
    graph = _graph_of(base, exponent)
    assert graph is not None
    return Value(graph, graph.apply("**", _lift(graph, base).index, _lift(graph, exponent).index))


def _chain(x: Any, n: int) -> Any:
    """``x**n`` by repeated squaring."""
    if n == 1:
        return x
    half = _chain(x, n // 2)
    square = half * half
    return square * x if n % 2 else square


def _where(condition: Any, a: Any, b: Any) -> Any:
    graph = _graph_of(condition, a, b)
    if graph is None or not isinstance(condition, Value):
        return a if condition else b
    indices = (condition.index, _lift(graph, a).index, _lift(graph, b).index)
    return Value(graph, graph.apply("where", *indices))
