"""Stages of a block as arrays: combined with coefficients from tables, evaluated lane by lane.

Rows of a block are components; stage ``s`` is rows ``s * dim`` to ``(s + 1) * dim`` of ``k``, whose last
stage stays zero. The argument of a right-hand side is in the first ``dim`` rows of ``y``, its result in the
next: literal offsets into one array are what lets the lane loop vectorise without run-time overlap checks.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from attns_core.kernels.emit import fma_sum
from attns_core.kernels.form import Form
from attns_core.kernels.graph import Graph
from attns_core.kernels.lanes import lane_loop
from attns_core.kernels.source import Source, Statement
from attns_core.kernels.vectors import explicit_bits

_TERMS = 4
"""Terms that are added at a time."""


def term_tables(rows: Sequence[Any], stages: int) -> tuple[Any, Any, Any]:
    """Rows of coefficients of stages as ``starts, slots, weights``, terms padded to fours with the stage of zeros."""
    starts: list[int] = [0]
    slots: list[int] = []
    weights: list[float] = []
    for row in rows:
        terms = [j for j in range(stages) if row[j] != 0]
        padding = -len(terms) % _TERMS
        slots += terms + [stages] * padding
        weights += [float(row[j]) for j in terms] + [0.0] * padding
        starts.append(len(slots))
    return np.array(starts, dtype=np.int64), np.array(slots, dtype=np.int64), np.array(weights, dtype=np.float64)


def component_tables(rows: Sequence[Any], dtype: str) -> tuple[Any, Any, Any]:
    """The same for rows of coefficients (stages, sets), each block's own, without padding; weights are flat."""
    terms = [np.flatnonzero(row.any(axis=1)) for row in rows]
    weights = [row[kept].ravel() for row, kept in zip(rows, terms, strict=True)]
    starts = np.concatenate([[0], np.cumsum([kept.size for kept in terms])])
    return starts.astype(np.int64), np.concatenate(terms).astype(np.int64), np.concatenate(weights).astype(dtype)


def combine(out: Source, dim: int) -> None:
    """Row ``s`` of the tables times the stages, into the first rows of ``y``; nothing where the row is empty."""
    with out.block(f"for m in range(starts[s], starts[s + 1], {_TERMS})"):
        for q in range(_TERMS):
            # A slice of its own starts at zero: no check for negative indices in the loop.
            out.line(f"o{q} = slots[m + {q}] * {dim} * L")
            out.line(f"k{q} = k[o{q} : o{q} + {dim} * L]")
            out.line(f"a{q} = F(weights[m + {q}])")
        terms = [(f"a{q}", f"k{q}[x]") for q in range(_TERMS)]
        with out.block("if m == starts[s]"), out.block(f"for x in range({dim} * L)"):
            out.line(f"y[x] = {fma_sum(terms)}")
        with out.block("else"), out.block(f"for x in range({dim} * L)"):
            out.line(f"y[x] = {fma_sum(terms, 'y[x]')}")


def of_blocks(a: Any, b: Any) -> tuple[Any, Any]:
    """Coefficients (..., sets) of ``a`` and ``b`` (..., dim): of as few blocks of neighbours as do for all of them.

    Blocks are of equal size, within which coefficients are alike.
    """
    together = np.concatenate([a.reshape(-1, a.shape[-1]), b])
    dim = b.shape[-1]

    def alike(size: int) -> bool:
        blocks = together.reshape(len(together), -1, size)
        return bool((blocks == blocks[:, :, :1]).all())

    size = next(size for size in range(dim, 0, -1) if dim % size == 0 and alike(size))
    return a[..., ::size], b[..., ::size]


def combine_components(out: Source, dim: int, sets: int, form: Form) -> None:
    """The same with :func:`component_tables` of ``sets`` of weights."""
    given = {
        "dim": dim,
        "sets": sets,
        "dtype": form.dtype,
        "lanes": form.lanes,
        "vector_bits": explicit_bits(form.vector_bits),
    }
    out.define(
        [
            "from attns_core.kernels.component_sums import component_sums",
            f"weigh = component_sums({', '.join(f'{name}={value!r}' for name, value in given.items())})",
        ]
    )
    with out.block("if starts[s] < starts[s + 1]"):
        out.line("done = weigh(y, k, slots, weights, starts[s], starts[s + 1])")


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
