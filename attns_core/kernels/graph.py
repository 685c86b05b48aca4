"""The record of a right-hand side: operations on numbered values, each only once.

Equal operations on equal values are one node (value numbering), and nothing is reassociated. A node's level says
what it changes with.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
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
