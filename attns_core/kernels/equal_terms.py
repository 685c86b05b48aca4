"""Runs of equal terms in the sums of a record: where a loop can take the place of lines.

Terms are equal if they are the same operations on the same values of a trajectory, with parameters or
constants of their own: ``h[j] * sin(kx[j] * x + ky[j] * y + phase[j])``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, final

from attns_core.kernels.graph import PARAMETER, Graph

SHORTEST = 16
"""Equal terms from which a sum is a loop."""
ROUND = 4
"""Terms per round of a loop: what they share is fetched once."""
_LONGEST_PERIOD = 3
"""Kinds of terms that may take turns, as sines and cosines do."""

Column: TypeAlias = tuple[int, ...]
"""One node for each round."""


@final
@dataclass(frozen=True, eq=False)
class Run:
    """Consecutive additions of equal terms: ``steps`` are operation and term of each, ``period`` per round."""

    start: int | None
    steps: tuple[tuple[str, int], ...]
    total: int
    period: int

    @property
    def count(self) -> int:
        return len(self.steps) // self.period

    @property
    def columns(self) -> list[Column]:
        return [tuple(term for _, term in self.steps[k :: self.period]) for k in range(self.period)]


def runs(graph: Graph, nodes: Sequence[int], roots: Sequence[int], level: int) -> Iterator[Run]:
    """The runs among ``nodes``, which ``roots`` depend on, whose sums are at least of ``level``."""
    keys = _keys(graph, nodes, level)
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


def _split(graph: Graph, last: int, before: dict[int, int], keys: dict[int, int]) -> Iterator[Run]:
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
        yield Run(starts[i], tuple(steps[i : i + n]), _known(starts[i + n]), a_round)
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
