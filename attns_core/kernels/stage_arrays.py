"""Stages of a block as arrays: combined with coefficients from tables, evaluated lane by lane.

Rows of a block are components; stage ``s`` is rows ``s * dim`` to ``(s + 1) * dim`` of ``k``, whose last
stage stays zero. The argument of a right-hand side is in the first ``dim`` rows of ``y``, its result in the
next: literal offsets into one array are what lets the lane loop vectorise without run-time overlap checks.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from attns_core.kernels.emit import fma_sum
from attns_core.kernels.graph import Graph
from attns_core.kernels.lanes import lane_loop
from attns_core.kernels.source import Source, Statement

_TERMS = 4
"""Terms that are added at a time."""


def term_tables(rows: Sequence[Any], stages: int) -> tuple[Any, Any, Any]:
    """Rows of coefficients of stages as ``starts, slots, weights``, terms padded to fours with the stage of zeros.

    A coefficient is a number, or an array with one for each component; then ``weights`` has a second axis.
    """
    starts: list[int] = [0]
    slots: list[int] = []
    weights: list[Any] = []
    for row in rows:
        terms = [j for j in range(stages) if np.any(row[j] != 0)]
        padding = -len(terms) % _TERMS
        slots += terms + [stages] * padding
        weights += [row[j] for j in terms] + [np.zeros_like(row[0])] * padding
        starts.append(len(slots))
    return np.array(starts, dtype=np.int64), np.array(slots, dtype=np.int64), np.array(weights, dtype=np.float64)


def combine(out: Source, dim: int, *, own: bool = False) -> None:
    """Row ``s`` of the tables times the stages, into the first rows of ``y``; nothing where the row is empty.

    With ``own`` weights each component has a column of the tables.
    """
    rows = 1 if own else dim
    with out.block(f"for m in range(starts[s], starts[s + 1], {_TERMS})"), _components(out, dim, own):
        for q in range(_TERMS):
            # A slice of its own starts at zero: no check for negative indices in the loop.
            out.line(f"o{q} = slots[m + {q}] * {dim} * L{' + d * L' if own else ''}")
            out.line(f"k{q} = k[o{q} : o{q} + {rows} * L]")
            out.line(f"a{q} = F(weights[m + {q}{', d' if own else ''}])")
        if own:
            out.line("yd = y[d * L : d * L + L]")
        y = "yd" if own else "y"
        terms = [(f"a{q}", f"k{q}[x]") for q in range(_TERMS)]
        with out.block("if m == starts[s]"), out.block(f"for x in range({rows} * L)"):
            out.line(f"{y}[x] = {fma_sum(terms)}")
        with out.block("else"), out.block(f"for x in range({rows} * L)"):
            out.line(f"{y}[x] = {fma_sum(terms, f'{y}[x]')}")


def _components(out: Source, dim: int, own: bool) -> Any:
    return out.block(f"for d in range({dim})") if own else nullcontext()


def used_components(graph: Graph) -> list[int]:
    """The components that a right-hand side depends on."""
    return sorted({graph.ops[i][1][0] for i in graph.needed(graph.outputs) if graph.ops[i][0] == "u"})


def evaluate_stage(
    out: Source, dim: int, used: Sequence[int], lane: Sequence[Statement], results: Sequence[str], time: str = ""
) -> None:
    """Stage ``s`` from its argument: ``lane`` turns ``y0, y1, ...`` into ``results``; ``time`` is written before."""
    with lane_loop(out):
        if time:
            out.line(time)
        out.lines(f"y{i} = y[{i} * L + l]" for i in used)
        out.lines(lane)
        out.lines(f"y[{dim + i} * L + l] = {results[i]}" for i in range(dim))
    out.line(f"ks = k[s * {dim} * L : (s + 1) * {dim} * L]")
    with out.block(f"for x in range({dim} * L)"):
        out.line(f"ks[x] = y[{dim} * L + x]")
