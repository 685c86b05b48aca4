"""Stages of a block as arrays: combined with coefficients from tables, evaluated lane by lane.

Rows of a block are components; stage ``s`` is rows ``s * dim`` to ``(s + 1) * dim`` of ``k``.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from attns_core.kernels.form import Form
from attns_core.kernels.graph import Graph
from attns_core.kernels.lanes import lane_loop
from attns_core.kernels.source import Source, Statement
from attns_core.kernels.vectors import explicit_bits


def component_tables(rows: Sequence[Any], dtype: str, *, full: Sequence[int] | None = None) -> tuple[Any, Any, Any]:
    """Rows of coefficients (stages, sets) of stages, each block's own, as flat ``starts, slots, weights``.

    Terms of a ``full`` tableau are all of those stages that come before the row, others are those that are not zero.
    """
    if full is None:
        terms = [np.flatnonzero(row.any(axis=1)) for row in rows]
    else:
        terms = [np.array([j for j in full if j < i], dtype=np.int64) for i in range(len(rows))]
    weights = [row[kept].ravel() for row, kept in zip(rows, terms, strict=True)]
    starts = np.concatenate([[0], np.cumsum([kept.size for kept in terms])])
    return starts.astype(np.int64), np.concatenate(terms).astype(np.int64), np.concatenate(weights).astype(dtype)


def of_blocks(a: Any, b: Any) -> tuple[Any, Any]:
    """Coefficients (..., sets) of ``a`` and ``b`` (..., dim): of as few blocks of neighbours as do for all of them.

    Blocks are of equal size, within which coefficients are alike.
    """
    dim = b.shape[-1]
    together = np.concatenate([a.reshape(-1, dim), b.reshape(-1, dim)])

    def alike(size: int) -> bool:
        blocks = together.reshape(len(together), -1, size)
        return bool((blocks == blocks[:, :, :1]).all())

    size = next(size for size in range(dim, 0, -1) if dim % size == 0 and alike(size))
    return a[..., ::size], b[..., ::size]


def define_sums(out: Source, dim: int, sets: int, form: Form, *, full: bool = False, attentive: bool = False) -> None:
    """Functions of :func:`component_sums` for tables of ``sets`` of weights.

    ``weigh`` and ``weigh_onto``, and for ``full`` tableaus those that begin and end the sums of a second row:
    ``weigh_two``, ``weigh_rest`` and ``weigh_rest_onto``. With ``attentive``, weights are rows of lanes.
    """
    given = {
        "dim": dim,
        "sets": sets,
        "dtype": form.dtype,
        "lanes": form.lanes,
        "vector_bits": explicit_bits(form.vector_bits),
    }
    if attentive:
        given["attentive"] = True
    same = ", ".join(f"{name}={value!r}" for name, value in given.items())
    options = {"weigh": "onto=False", "weigh_onto": "onto=True"}
    if full:
        options |= {
            "weigh_two": "onto=True, ahead=True",
            "weigh_rest": "onto=False, begun=True",
            "weigh_rest_onto": "onto=True, begun=True",
        }
    out.define(
        [
            "from attns_core.kernels.component_sums import component_sums",
            *(f"{name} = component_sums({same}, {option})" for name, option in options.items()),
        ]
    )


def used_components(graph: Graph) -> list[int]:
    """The components that a right-hand side depends on."""
    return sorted({graph.ops[i][1][0] for i in graph.needed(graph.outputs) if graph.ops[i][0] == "u"})


def evaluate_stage(
    out: Source, dim: int, used: Sequence[int], lane: Sequence[Statement], results: Sequence[str], time: str = ""
) -> None:
    """Stage ``s`` from its argument, which is where the next will be: ``lane`` turns ``y0, y1, ...`` into ``results``.

    ``time`` is written before. Literal offsets into one array are what lets the loop vectorise without run-time
    overlap checks.
    """
    with lane_loop(out):
        if time:
            out.line(time)
        out.lines(f"y{i} = ks[{dim + i} * L + l]" for i in used)
        out.lines(lane)
        out.lines(f"ks[{i} * L + l] = {results[i]}" for i in range(dim))
