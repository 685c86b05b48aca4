"""Long sums of equal terms in a record: what becomes a loop over coefficients instead of a line per term.

Sums that share parts of their terms, as the components of a force do, and as derivatives do with what they
derive, become one loop. The order of additions stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

from attns_core.kernels.equal_terms import SHORTEST, Column, Run, runs
from attns_core.kernels.graph import LANE, PARAMETER, Graph


@final
@dataclass(frozen=True, eq=False)
class Formula:
    """What a round computes: a record whose inputs ``u`` are values from outside.

    Parameters
    ----------
    graph : Graph
    fixed : dict of input to node
        The same in all rounds.
    coefficients : dict of input to nodes
        One per round, known before the solve.
    clocked : dict of input to nodes
        One per round, changing with time only.
    sums : tuple of inputs
        The sums as they stand before the round.
    """

    graph: Graph
    fixed: dict[int, int]
    coefficients: dict[int, Column]
    clocked: dict[int, Column]
    sums: tuple[int, ...] = ()


@final
@dataclass(frozen=True, eq=False)
class SumLoop:
    """Sums over the same terms.

    Parameters
    ----------
    count : int
        Rounds.
    starts : tuple of (int or None)
        The nodes that the sums begin with; None: zero.
    totals : tuple of int
        The nodes that they end with.
    formula : Formula
        A round; its outputs are the sums after it.
    clock : Formula
        What changes in a round with time only; its outputs are the ``clocked`` inputs of ``formula``.
    """

    count: int
    starts: tuple[int | None, ...]
    totals: tuple[int, ...]
    formula: Formula
    clock: Formula

    @cached_property
    def inputs(self) -> frozenset[int]:
        """Nodes to be known before the loop."""
        starts = {s for s in self.starts if s is not None}
        return frozenset(starts | {*self.formula.fixed.values()} | {*self.clock.fixed.values()})


def sum_loops(graph: Graph, roots: Sequence[int], level: int) -> dict[int, SumLoop]:
    """The loops among what ``roots`` depend on, under each node that one of them ends with.

    ``level`` is the lowest level of values that differ between trajectories. Every loop can stand where the
    first of its totals stood in the record.
    """
    nodes = graph.needed(roots)
    if len(nodes) < SHORTEST:
        return {}
    groups: list[list[Run]] = []
    for run in sorted(runs(graph, nodes, roots, level), key=lambda r: r.total):
        for group in groups:
            if _belongs(graph, run, group, level):
                group.append(run)
                break
        else:
            groups.append([run])
    found: dict[int, SumLoop] = {}
    for group in groups:
        loop = _loop(graph, group, level)
        if max(loop.inputs, default=-1) < min(loop.totals):
            found |= dict.fromkeys(loop.totals, loop)
    return found


def needed(graph: Graph, roots: Sequence[int], loops: dict[int, SumLoop]) -> list[int]:
    """As ``graph.needed``, with the loops in the place of their sums."""
    return graph.needed(roots, {i: loop.inputs for i, loop in loops.items()})


def _belongs(graph: Graph, run: Run, group: Sequence[Run], level: int) -> bool:
    """Whether a sum shares terms with those of a loop, and can be known as early."""
    if (run.count, run.period) != (group[0].count, group[0].period):
        return False
    mine = _varying(graph, run.columns, level)
    if not any(mine & _varying(graph, other.columns, level) for other in group):
        return False
    loop = _loop(graph, [*group, run], level)
    return max(loop.inputs, default=-1) < min(loop.totals)


def _varying(graph: Graph, columns: Sequence[Column], level: int) -> set[Column]:
    """What differs from round to round and between trajectories."""
    found: set[Column] = set()
    stack = list(columns)
    while stack:
        column = stack.pop()
        if column in found or len(set(column)) == 1 or graph.levels[column[0]] < level:
            continue
        found.add(column)
        stack.extend(zip(*(graph.arguments(i) for i in column), strict=True))
    return found


def _loop(graph: Graph, group: Sequence[Run], level: int) -> SumLoop:
    terms = _Terms(graph, level)
    sums = [terms.input() for _ in group]
    now = list(sums)
    columns = [run.columns for run in group]
    for k in range(group[0].period):
        for i, run in enumerate(group):
            name, _ = run.steps[k]
            now[i] = terms.record.node(name, (now[i], terms.add(columns[i][k])), LANE)
    formula = terms.formula(now, tuple(sums))
    clock = _Terms(graph, PARAMETER + 1)
    clocked = [clock.add(column) for column in formula.clocked.values()]
    return SumLoop(
        group[0].count, tuple(r.start for r in group), tuple(r.total for r in group), formula, clock.formula(clocked)
    )


@final
class _Terms:
    """Records columns of nodes as one formula."""

    def __init__(self, graph: Graph, level: int) -> None:
        self.graph, self.level = graph, level
        self.record = Graph()
        self._n_inputs = 0
        self._inputs: dict[str, dict[int, Column]] = {"fixed": {}, "coefficients": {}, "clocked": {}}
        self._known: dict[Column, int] = {}

    def input(self) -> int:
        self._n_inputs += 1
        return self.record.node("u", (self._n_inputs - 1,), LANE)

    def add(self, root: Column) -> int:
        """The node for a column, with all that it needs."""
        graph, stack = self.graph, [root]
        while stack:
            column = stack[-1]
            if column in self._known:
                stack.pop()
                continue
            first = column[0]
            kind = ""
            if len(set(column)) == 1:
                kind = "fixed"
            elif graph.levels[first] <= PARAMETER:
                kind = "coefficients"
            elif graph.levels[first] < self.level:
                kind = "clocked"
            if kind:
                self._inputs[kind][self._n_inputs] = column
                self._known[column] = self.input()
                continue
            arguments = list(zip(*(graph.arguments(i) for i in column), strict=True))
            missing = [a for a in arguments if a not in self._known]
            stack.extend(missing)
            if not missing:
                name = graph.ops[first][0]
                self._known[column] = self.record.node(name, tuple(self._known[a] for a in arguments), LANE)
        return self._known[root]

    def formula(self, outputs: Sequence[int], sums: tuple[int, ...] = ()) -> Formula:
        self.record.outputs = tuple(outputs)
        fixed = {i: column[0] for i, column in self._inputs["fixed"].items()}
        inputs = tuple(self.record.ops[s][1][0] for s in sums)
        return Formula(self.record, fixed, self._inputs["coefficients"], self._inputs["clocked"], inputs)
