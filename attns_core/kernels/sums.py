"""Long sums of equal terms in a record: what becomes a loop over coefficients instead of a line per term.

Terms are equal if they are the same operations on the same values of a trajectory, with parameters or
constants of their own: ``h[j] * sin(kx[j] * x + ky[j] * y + phase[j])``. Sums that share parts of their
terms, as the components of a force do, and as derivatives do with what they derive, become one loop.
The order of additions stays.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias, final

from attns_core.kernels.recorder import LANE, PARAMETER, Graph

SHORTEST = 16
"""Equal terms from which a sum is a loop."""
ROUND = 4
"""Terms per round of a loop: what they share is fetched once."""
_LONGEST_PERIOD = 3
"""Kinds of terms that may take turns, as sines and cosines do."""

_Column: TypeAlias = tuple[int, ...]
"""One node for each round."""


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
    coefficients: dict[int, _Column]
    clocked: dict[int, _Column]
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
    keys = _keys(graph, nodes, level)
    groups: list[list[_Run]] = []
    for run in sorted(_runs(graph, nodes, roots, keys, level), key=lambda r: r.total):
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


@final
@dataclass(frozen=True, eq=False)
class _Run:
    """Consecutive additions of equal terms: ``steps`` are operation and term of each, ``period`` per round."""

    start: int | None
    steps: tuple[tuple[str, int], ...]
    total: int
    period: int

    @property
    def count(self) -> int:
        return len(self.steps) // self.period

    @property
    def columns(self) -> list[_Column]:
        return [tuple(term for _, term in self.steps[k :: self.period]) for k in range(self.period)]


def _keys(graph: Graph, nodes: Sequence[int], level: int) -> dict[int, int]:
    """A number for each node; equal ones have equal formulas up to parameters and constants."""
    numbers: dict[tuple[object, ...], int] = {}
    keys: dict[int, int] = {}
    for i in nodes:
        name, args = graph.ops[i]
        if graph.levels[i] < level and graph.is_condition(i):
            key: tuple[object, ...] = ("=", i)
        elif graph.levels[i] <= PARAMETER:
            key = ("coefficient",)
        elif name in ("u", "t"):
            key = (name, *args)
        else:
            key = (name, *(keys[a] for a in args))
        keys[i] = numbers.setdefault(key, len(numbers))
    return keys


def _runs(graph: Graph, nodes: Sequence[int], roots: Sequence[int], keys: dict[int, int], level: int) -> Iterator[_Run]:
    uses = dict.fromkeys(nodes, 0)
    for i in [*roots, *(a for n in nodes for a in graph.arguments(n))]:
        uses[i] += 1
    # The longer of its two arguments' chains is what an addition continues.
    depth: dict[int, int] = {}
    before: dict[int, int] = {}
    for i in nodes:
        name, args = graph.ops[i]
        if name not in ("+", "-") or graph.levels[i] < level:
            continue
        depth[i] = 1
        for a in args if name == "+" else args[:1]:
            if a in depth and uses[a] == 1 and depth[a] >= depth[i]:
                depth[i], before[i] = depth[a] + 1, a
    inner = set(before.values())
    for last in depth:
        if last not in inner and depth[last] >= SHORTEST - 1:
            yield from _split(graph, last, before, keys)


def _split(graph: Graph, last: int, before: dict[int, int], keys: dict[int, int]) -> Iterator[_Run]:
    """The stretches of equal terms in the chain that ends with ``last``."""
    chain = [last]
    while chain[-1] in before:
        chain.append(before[chain[-1]])
    chain.reverse()
    steps: list[tuple[str, int]] = []
    name, (start, term) = graph.ops[chain[0]]
    starts: list[int | None] = [start, *chain]
    if name == "+" and keys[start] == keys[term]:
        # Sums that begin with nothing begin with their first term.
        steps.append(("+", start))
        starts.insert(0, None)
    steps.append((name, term))
    for sum_before, i in pairwise(chain):
        name, (x, y) = graph.ops[i]
        steps.append((name, y if x == sum_before else x))
    kinds = [(name, keys[term]) for name, term in steps]
    i = 0
    while i < len(kinds):
        n, period = max((_equal(kinds, i, p) // p * p, -p) for p in range(1, _LONGEST_PERIOD + 1))
        if n < SHORTEST:
            i += 1
            continue
        a_round = -period * max(1, ROUND // -period)
        n -= n % a_round
        yield _Run(starts[i], tuple(steps[i : i + n]), _known(starts[i + n]), a_round)
        i += n


def _known(node: int | None) -> int:
    assert node is not None
    return node


def _equal(kinds: Sequence[object], begin: int, period: int) -> int:
    """How many kinds from ``begin`` on repeat with a period."""
    end = begin + period
    while end < len(kinds) and kinds[end] == kinds[end - period]:
        end += 1
    return min(end, len(kinds)) - begin


def _belongs(graph: Graph, run: _Run, group: Sequence[_Run], level: int) -> bool:
    """Whether a sum shares terms with those of a loop, and can be known as early."""
    if (run.count, run.period) != (group[0].count, group[0].period):
        return False
    mine = _varying(graph, run.columns, level)
    if not any(mine & _varying(graph, other.columns, level) for other in group):
        return False
    loop = _loop(graph, [*group, run], level)
    return max(loop.inputs, default=-1) < min(loop.totals)


def _varying(graph: Graph, columns: Sequence[_Column], level: int) -> set[_Column]:
    """What differs from round to round and between trajectories."""
    found: set[_Column] = set()
    stack = list(columns)
    while stack:
        column = stack.pop()
        if column in found or len(set(column)) == 1 or graph.levels[column[0]] < level:
            continue
        found.add(column)
        stack.extend(zip(*(graph.arguments(i) for i in column), strict=True))
    return found


def _loop(graph: Graph, runs: Sequence[_Run], level: int) -> SumLoop:
    terms = _Terms(graph, level)
    sums = [terms.input() for _ in runs]
    now = list(sums)
    columns = [run.columns for run in runs]
    for k in range(runs[0].period):
        for i, run in enumerate(runs):
            name, _ = run.steps[k]
            now[i] = terms.record.node(name, (now[i], terms.add(columns[i][k])), LANE)
    formula = terms.formula(now, tuple(sums))
    clock = _Terms(graph, PARAMETER + 1)
    clocked = [clock.add(column) for column in formula.clocked.values()]
    return SumLoop(
        runs[0].count, tuple(r.start for r in runs), tuple(r.total for r in runs), formula, clock.formula(clocked)
    )


@final
class _Terms:
    """Records columns of nodes as one formula."""

    def __init__(self, graph: Graph, level: int) -> None:
        self.graph, self.level = graph, level
        self.record = Graph()
        self._n_inputs = 0
        self._inputs: dict[str, dict[int, _Column]] = {"fixed": {}, "coefficients": {}, "clocked": {}}
        self._known: dict[_Column, int] = {}

    def input(self) -> int:
        self._n_inputs += 1
        return self.record.node("u", (self._n_inputs - 1,), LANE)

    def add(self, root: _Column) -> int:
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
