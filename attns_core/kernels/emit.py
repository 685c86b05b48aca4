"""From a record to statements: straight-line Python that LLVM vectorises.

Names in emitted code: ``F`` is the working precision, ``c`` the array of parameter-level values,
``c3``/``d3`` its fourth entry in working and in double precision, ``q3`` a literal in working
precision.
"""

import re
from collections.abc import Callable, Sequence
from typing import final

from attns_core.kernels.graph import LANE, PARAMETER, TIME, Graph
from attns_core.kernels.source import Loop, Source, Statement
from attns_core.kernels.sums import SumLoop, needed, sum_loops

LITERAL = re.compile(r"q\d+")
"""Names of literals, which are constants of the module."""


@final
class Constants:
    """What a kernel defines once: literals, and per call the parameter-level values.

    Attributes
    ----------
    parameters : list of int
        Nodes whose values the caller passes in the array ``c``, in order.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.parameters: list[int] = []
        self._literals: dict[str, str] = {}
        self._tables: dict[tuple[int, ...], int] = {}
        self._used: set[str] = set()

    def literal(self, value: float) -> str:
        text = number_text(value)
        return self._literals.setdefault(text, f"q{len(self._literals)}")

    def parameter(self, node: int, *, double: bool = False) -> str:
        if node not in self.parameters:
            self.parameters.append(node)
        name = f"{'d' if double else 'c'}{self.parameters.index(node)}"
        self._used.add(name)
        return name

    def table(self, nodes: tuple[int, ...]) -> int:
        """Where in ``c`` the values of ``nodes`` follow each other."""
        if nodes not in self._tables:
            self._tables[nodes] = len(self.parameters)
            self.parameters.extend(nodes)
        return self._tables[nodes]

    def write(self, out: Source) -> None:
        """Literals as constants of the module, parameters as names of the present function."""
        out.define(self.literals())
        out.lines(self.prologue())

    def literals(self) -> list[str]:
        return [f"{name} = F({text})" for text, name in self._literals.items()]

    def prologue(self) -> list[str]:
        lines: list[str] = []
        for i in range(len(self.parameters)):
            if f"c{i}" in self._used:
                lines.append(f"c{i} = F(c[{i}])")
            if f"d{i}" in self._used:
                lines.append(f"d{i} = c[{i}]")
        return lines


def number_text(value: float) -> str:
    """A number as generated code writes it."""
    if value != value:
        return "np.nan"
    if value in (float("inf"), float("-inf")):
        return "np.inf" if value > 0 else "-np.inf"
    return repr(float(value))


@final
class Emitter:
    """Emits evaluations of one record under ever new prefixes.

    Parameters
    ----------
    lane_functions : callable
        Maps a function's name to the name to call for values that differ between trajectories.
    rolls : bool
        Write long sums of equal terms as loops.
    """

    def __init__(self, graph: Graph, lane_functions: Callable[[str], str], *, rolls: bool = True) -> None:
        self.graph = graph
        self.rolls = rolls
        self.constants = Constants(graph)
        self.lane_function = lane_functions
        self._loops: dict[tuple[tuple[int, ...], int], dict[int, SumLoop]] = {}
        self._times: dict[str, str] = {}

    def loops(self, roots: Sequence[int], level: int = LANE) -> dict[int, SumLoop]:
        """Sums among what ``roots`` need that are written as loops."""
        key = (tuple(roots), level)
        if key not in self._loops:
            self._loops[key] = sum_loops(self.graph, roots, level) if self.rolls else {}
        return self._loops[key]

    def time_lines(self, roots: Sequence[int], time: str, prefix: str) -> list[str]:
        """Statements for everything that changes with time only, in double precision, then rounded."""
        g, loops = self.graph, self.loops(roots)
        self._times[prefix] = time
        nodes = needed(g, roots, loops)
        arguments = {a for i in nodes if g.levels[i] == LANE and i not in loops for a in g.arguments(i)}
        arguments = arguments.union(*(loop.inputs for i, loop in loops.items() if i in nodes))
        boundary = {a for a in arguments if g.levels[a] == TIME}
        boundary |= {i for i in roots if g.levels[i] == TIME}
        if not boundary:
            return []
        lines = [
            f"{prefix}t{i} = {self._expression(i, prefix, time)}"
            for i in g.needed(sorted(boundary))
            if g.levels[i] == TIME and g.ops[i][0] != "t"
        ]
        for i in sorted(boundary):
            value = self._operand(i, prefix, time)
            lines.append(f"{prefix}v{i} = {value}" if g.is_condition(i) else f"{prefix}v{i} = F({value})")
        return lines

    def lane_lines(
        self, roots: Sequence[int], u: Sequence[str], prefix: str, time: str | None = None
    ) -> tuple[list[Statement], list[str]]:
        """Statements for one trajectory, and the names (or literals) of the ``roots``.

        ``u[i]`` is the name of component ``i``. Values that change with time only must have been
        computed by :meth:`time_lines` under the same prefix, unless each trajectory has its own
        ``time`` (a name in working precision).
        """
        g = self.graph
        level = LANE if time is None else TIME
        loops = self.loops(roots, level)
        names: dict[int, str] = {}
        lines: list[Statement] = []
        nodes = needed(g, roots, loops)
        absorbed = _absorbed(g, nodes, roots, level, loops)
        factors = set(absorbed.values())
        for i in nodes:
            name = g.ops[i][0]
            if i in factors or g.levels[i] < level or i in names:
                continue
            if i in loops:
                lines += self._sum_loop(loops[i], names, prefix)
                continue
            if name == "t":
                names[i] = str(time)
                continue
            if name == "u":
                names[i] = str(u[g.ops[i][1][0]])
                continue
            names[i] = f"{prefix}x{i}"
            if i in absorbed:
                lines.append(f"{names[i]} = {self._fused(i, absorbed[i], names, prefix)}")
                continue
            arguments = [self._lane_operand(a, names, prefix) for a in g.arguments(i)]
            lines.append(f"{names[i]} = {self.apply(name, arguments, lane=True)}")
        return lines, [self._lane_operand(r, names, prefix) for r in roots]

    def _sum_loop(self, loop: SumLoop, names: dict[int, str], prefix: str) -> list[Statement]:
        """A loop over equal terms; adds the names of the totals to ``names``."""
        mark = f"{prefix}n{loop.totals[0]}"
        formula, clock = loop.formula, loop.clock
        sums = [f"{mark}s{i}" for i in range(len(loop.totals))]
        zero = self.constants.literal(0.0)
        begin: list[Statement] = [
            f"{name} = {zero if start is None else self._lane_operand(start, names, prefix)}"
            for name, start in zip(sums, loop.starts, strict=True)
        ]
        common: list[str] = []
        inputs = dict(zip(formula.sums, sums, strict=True))
        inputs |= {i: self._lane_operand(node, names, prefix) for i, node in formula.fixed.items()}
        for i, column in formula.coefficients.items():
            inputs[i] = f"{mark}r{i}"
            common.append(f"{inputs[i]} = F(c[term + {self.constants.table(column)}])")
        if formula.clocked:
            time = self._times[prefix]
            doubles = {i: self._operand(node, prefix, time) for i, node in clock.fixed.items()}
            for i, column in clock.coefficients.items():
                doubles[i] = f"c[term + {self.constants.table(column)}]"
            inner = Emitter(clock.graph, lambda name: f"math.{name}", rolls=False)
            lines, results = inner.lane_lines(clock.graph.outputs, _listed(doubles), f"{mark}c")
            common += _plain(lines)
            for i, result in zip(formula.clocked, results, strict=True):
                inputs[i] = f"{mark}r{i}"
                common.append(f"{inputs[i]} = F({result})")
        inner = Emitter(formula.graph, self.lane_function, rolls=False)
        inner.constants = self.constants
        lines, results = inner.lane_lines(formula.graph.outputs, _listed(inputs), f"{mark}e")
        ends = [f"{name} = {result}" for name, result in zip(sums, results, strict=True)]
        names |= dict(zip(loop.totals, sums, strict=True))
        return [*begin, Loop(loop.count, tuple(common), (*_plain(lines), *ends))]

    def _fused(self, i: int, product: int, names: dict[int, str], prefix: str) -> str:
        """A sum that takes in a product: one rounding, the same in every kernel and for every block size."""
        name, (x, y) = self.graph.ops[i]
        a, b = (self._lane_operand(f, names, prefix) for f in self.graph.ops[product][1])
        if product == y:
            rest = self._lane_operand(x, names, prefix)
            return f"fma({a}, {b}, {rest})" if name == "+" else f"fma(-{a}, {b}, {rest})"
        rest = self._lane_operand(y, names, prefix)
        return f"fma({a}, {b}, {rest})" if name == "+" else f"fma({a}, {b}, -{rest})"

    def _lane_operand(self, i: int, names: dict[int, str], prefix: str) -> str:
        level = self.graph.levels[i]
        if i in names:
            return names[i]
        if level == TIME:
            return f"{prefix}v{i}"
        if level == PARAMETER:
            name = self.constants.parameter(i)
            return f"({name} != 0)" if self.graph.is_condition(i) else name
        return self.constants.literal(self.graph.ops[i][1][0])

    def _operand(self, i: int, prefix: str, time: str) -> str:
        name, args = self.graph.ops[i]
        if name == "t":
            return time
        if self.graph.levels[i] == TIME:
            return f"{prefix}t{i}"
        if name == "const":
            return number_text(args[0])
        parameter = self.constants.parameter(i, double=True)
        return f"({parameter} != 0)" if self.graph.is_condition(i) else parameter

    def _expression(self, i: int, prefix: str, time: str) -> str:
        arguments = [self._operand(a, prefix, time) for a in self.graph.arguments(i)]
        return self.apply(self.graph.ops[i][0], arguments, lane=False)

    def apply(self, name: str, a: list[str], *, lane: bool) -> str:
        """An operation on named values, of each trajectory or of all."""
        if name == "neg":
            return f"-{a[0]}"
        if name == "~":
            return f"not {a[0]}"
        if name == "where":
            return f"{a[1]} if {a[0]} else {a[2]}"
        if name == "**":
            return f"{self.lane_function('pow')}({a[0]}, {a[1]})" if lane else f"{a[0]} ** {a[1]}"
        if len(a) == 2:
            return f"{a[0]} {name} {a[1]}"
        if name == "abs":
            return f"abs({a[0]})"
        if name == "sign":
            return f"np.sign({a[0]})"
        return f"{self.lane_function(name)}({a[0]})" if lane else f"math.{name}({a[0]})"


def fma_sum(terms: Sequence[tuple[str, str]], start: str = "") -> str:
    """``start + a1 * b1 + a2 * b2 + ...`` from the left, each term with one rounding."""
    text = start
    for a, b in terms:
        text = f"fma({a}, {b}, {text})" if text else f"{a} * {b}"
    return text


def _listed(names: dict[int, str]) -> list[str]:
    return [names[i] for i in range(len(names))]


def _plain(lines: Sequence[Statement]) -> list[str]:
    """Statements of a round, which has no loops of its own."""
    return [line for line in lines if isinstance(line, str)]


def _absorbed(
    graph: Graph, nodes: Sequence[int], roots: Sequence[int], level: int, loops: dict[int, SumLoop]
) -> dict[int, int]:
    """Sums and differences -> the product that each takes in, where nothing else uses that product."""
    uses: dict[int, int] = {}
    for i in [*roots, *(a for n in nodes for a in (loops[n].inputs if n in loops else graph.arguments(n)))]:
        uses[i] = uses.get(i, 0) + 1
    found: dict[int, int] = {}
    for i in nodes:
        if i in loops:
            # A product that starts a loop is a value of its own.
            uses |= dict.fromkeys(loops[i].inputs, 2)
    for i in nodes:
        if i not in loops and graph.ops[i][0] in ("+", "-") and graph.levels[i] >= level:
            for a in reversed(graph.ops[i][1]):
                if graph.ops[a][0] == "*" and uses[a] == 1 and graph.levels[a] >= level:
                    found[i] = a
                    break
    return found
