"""Recording a right-hand side: the operations it performs, in its author's order, each only once.

The function is called with :class:`Value` objects that write down what is done to them. Equal
operations on equal values are one node (value numbering), and nothing is reassociated: code emitted
from the record agrees with the function on NumPy arrays to round-off. The one liberty taken is that
dividing by a parameter becomes multiplying by its reciprocal.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType, SimpleNamespace
from typing import Any, final

CONSTANT, PARAMETER, TIME, LANE = range(4)
"""Levels: known when recording, fixed for a solve, changing with time only, one per trajectory."""

FUNCTIONS = ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "sinh", "cosh", "abs", "sign")

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&": operator.and_,
    "|": operator.or_,
}
CONDITIONS = frozenset(("<", "<=", ">", ">=", "==", "!=", "&", "|", "~"))
_LARGEST_CHAIN = 16


@final
class Graph:
    """A record: ``ops[i]`` is ``(name, argument indices or payload)``, ``levels[i]`` its level."""

    def __init__(self) -> None:
        self.ops: list[tuple[str, tuple[Any, ...]]] = []
        self.levels: list[int] = []
        self.outputs: tuple[int, ...] = ()
        self._known: dict[tuple[str, tuple[Any, ...]], int] = {}

    def node(self, name: str, args: tuple[Any, ...], level: int) -> int:
        key = (name, (math.copysign(1.0, args[0]), *args)) if name == "const" else (name, args)
        if key not in self._known:
            self._known[key] = len(self.ops)
            self.ops.append((name, args))
            self.levels.append(level)
        return self._known[key]

    def apply(self, name: str, *args: int) -> int:
        if all(self.levels[a] == CONSTANT for a in args):
            # Derivatives make constants of constants; the emitter knows plain ones only.
            values = [self.ops[a][1][0] for a in args]
            if name == "neg":
                return self.constant(-values[0])
            if name in "+-*/" and (name != "/" or values[1] != 0):
                return self.constant(_BINARY[name](*values))
            if name in FUNCTIONS and (name != "log" or values[0] > 0) and (name != "sqrt" or values[0] >= 0):
                import numpy as np

                return self.constant(float(getattr(np, name)(values[0])))
        return self.node(name, args, max(self.levels[a] for a in args))

    def constant(self, value: float) -> int:
        return self.node("const", (float(value),), CONSTANT)

    def is_condition(self, i: int) -> bool:
        return self.ops[i][0] in CONDITIONS

    def needed(self, roots: Sequence[int], instead: Mapping[int, Iterable[int]] = MappingProxyType({})) -> list[int]:
        """Nodes that ``roots`` depend on, themselves included, arguments first; of some, other nodes ``instead``."""
        seen: set[int] = set()
        stack = list(roots)
        while stack:
            i = stack.pop()
            if i not in seen:
                seen.add(i)
                stack.extend(instead[i] if i in instead else self.arguments(i))
        return sorted(seen)

    def arguments(self, i: int) -> tuple[int, ...]:
        name, args = self.ops[i]
        return () if name in ("const", "p", "t", "u") else args

    @property
    def uses_time(self) -> bool:
        return any(self.ops[i][0] == "t" for i in self.needed(self.outputs))

    def evaluate(
        self, nodes: Sequence[int], p: Sequence[float], t: float = math.nan, u: Sequence[float] = ()
    ) -> list[float]:
        """Values in double precision, as NumPy would compute them; ``t`` and ``u`` where nodes depend on them."""
        import numpy as np

        values: dict[int, Any] = {}
        with np.errstate(all="ignore"):
            for i in self.needed(nodes):
                name, args = self.ops[i]
                match name:
                    case "const":
                        values[i] = args[0]
                    case "p":
                        values[i] = np.float64(p[args[0]])
                    case "t":
                        values[i] = np.float64(t)
                    case "u":
                        values[i] = np.float64(u[args[0]])
                    case "where":
                        values[i] = values[args[1]] if values[args[0]] else values[args[2]]
                    case "neg":
                        values[i] = -values[args[0]]
                    case "~":
                        values[i] = not values[args[0]]
                    case _ if name in _BINARY:
                        values[i] = _BINARY[name](values[args[0]], values[args[1]])
                    case _:
                        values[i] = getattr(np, name)(values[args[0]])
        return [float(values[i]) for i in nodes]


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
