"""Derivatives of a recorded right-hand side: more nodes in the same record.

Forward mode, sparse: each node carries its derivatives by the components it depends on. Value
numbering shares what the formulas have in common, so that evaluating outputs and derivatives together
costs little more than the derivatives alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from attns_core.kernels.graph import Graph
from attns_core.kernels.recorder import Value

_Slopes = dict[int, Any]
_TIME = -1


@final
@dataclass(frozen=True)
class Derivatives:
    """Nodes of the derivatives that are not zero.

    Parameters
    ----------
    jacobian : dict of (i, j) to node
        ``d output_i / d u_j``.
    time : dict of i to node
        ``d output_i / d t``.
    """

    jacobian: dict[tuple[int, int], int]
    time: dict[int, int]


def differentiate(graph: Graph) -> Derivatives:
    """Add the derivatives of the outputs by state and time to a record.

    Raises
    ------
    ValueError
        For an operation without a derivative rule.
    """
    slopes: dict[int, _Slopes] = {}
    for i in graph.needed(graph.outputs):
        slopes[i] = _slopes(graph, i, slopes)
    jacobian: dict[tuple[int, int], int] = {}
    time: dict[int, int] = {}
    for row, output in enumerate(graph.outputs):
        for key, slope in slopes[output].items():
            node = slope.index if isinstance(slope, Value) else graph.constant(slope)
            if key == _TIME:
                time[row] = node
            else:
                jacobian[row, key] = node
    return Derivatives(jacobian, time)


def _slopes(graph: Graph, i: int, slopes: dict[int, _Slopes]) -> _Slopes:
    name, args = graph.ops[i]
    if name == "u":
        return {args[0]: 1.0}
    if name == "t":
        return {_TIME: 1.0}
    if name in ("const", "p") or graph.is_condition(i) or name == "sign":
        return {}
    values = [Value(graph, a) for a in args]
    if name == "where":
        condition, a, b = args
        return {
            key: _where(graph, condition, slopes[a].get(key, 0.0), slopes[b].get(key, 0.0))
            for key in {**slopes[a], **slopes[b]}
        }
    factors = _partials(name, values, Value(graph, i))
    found: _Slopes = {}
    for argument, factor in zip(args, factors, strict=True):
        for key, slope in slopes[argument].items():
            term = _times(factor(), slope)
            found[key] = found[key] + term if key in found else term
    return {key: slope for key, slope in found.items() if isinstance(slope, Value) or slope != 0}


def _partials(name: str, a: list[Value], value: Value) -> list[Callable[[], Any]]:
    """Derivatives of an operation by its arguments, each made only when needed."""
    m = _Maths(value.graph)
    match name:
        case "+":
            return [lambda: 1.0, lambda: 1.0]
        case "-":
            return [lambda: 1.0, lambda: -1.0]
        case "neg":
            return [lambda: -1.0]
        case "*":
            return [lambda: a[1], lambda: a[0]]
        case "/":
            return [lambda: 1.0 / a[1], lambda: -value / a[1]]
        case "**":
            return [lambda: a[1] * a[0] ** (a[1] - 1.0), lambda: value * m("log", a[0])]
        case "sin":
            return [lambda: m("cos", a[0])]
        case "cos":
            return [lambda: -m("sin", a[0])]
        case "tan":
            return [lambda: 1.0 + value * value]
        case "exp":
            return [lambda: value]
        case "log":
            return [lambda: 1.0 / a[0]]
        case "sqrt":
            return [lambda: 0.5 / value]
        case "tanh":
            return [lambda: 1.0 - value * value]
        case "sinh":
            return [lambda: m("cosh", a[0])]
        case "cosh":
            return [lambda: m("sinh", a[0])]
        case "abs":
            return [lambda: m("sign", a[0])]
    raise ValueError(f"no derivative rule for {name!r}")


def _times(factor: Any, slope: Any) -> Any:
    if not isinstance(factor, Value) and factor == -1.0:
        return -slope
    return factor * slope


class _Maths:
    """Functions of the maths namespace on values of one record."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __call__(self, name: str, x: Value) -> Value:
        return Value(self.graph, self.graph.apply(name, x.index))


def _where(graph: Graph, condition: int, a: Any, b: Any) -> Value:
    nodes = [v.index if isinstance(v, Value) else graph.constant(v) for v in (a, b)]
    return Value(graph, graph.apply("where", condition, *nodes))
