"""Fixed steps: blocks of lanes, the step loop outside the lane loop, states saved at given times.

Two forms compute the same numbers:

* *fused*: the whole step of one trajectory is straight-line code in the lane loop, its values in
  registers; compiled per equation and method.
* *staged*: the right-hand side alone is straight-line code, stages are combined array by array with
  coefficients that travel in arrays; compiled once per equation for all Runge-Kutta methods.

Every block is full: the last one repeats its last trajectory, so that each trajectory goes through
the same instructions wherever it stands in the batch.
"""

from typing import Any

import numpy as np

from attns_core.kernels.emit import Emitter, fma_sum
from attns_core.kernels.form import Form, Generated, begin, each_step, entry
from attns_core.kernels.lanes import lane_loop
from attns_core.kernels.order import ordered
from attns_core.kernels.recorder import Graph
from attns_core.kernels.source import Source
from attns_core.kernels.step import Step


def fused(step: Step, form: Form) -> Generated:
    """``solve(initial, out, t_save, counts, dt, c, first, last)`` for whole steps as straight-line code.

    With varying steps ``begins, lengths`` stand in the place of ``dt``, here and below.
    """
    dim = step.dim
    out = begin(form)
    with entry(out, form, f"initial, out, t_save, counts, {form.steps}, c, first, last"):
        out.line("n = initial.shape[1]")
        out.lines(step.emitter.constants.prologue())
        if not form.varying:
            out.lines(step.prologue)
        if form.lanes > 1:
            out.line(f"w = np.empty({dim} * L, dtype=F)")
        with out.block("for block in range(first, last)"):
            load(out, dim, scalars=form.lanes == 1)
            if form.varying:
                out.line("step = 0")
            with out.block("for i in range(counts.size)"):
                with each_step(out, form, step.prologue, timed=bool(step.time)):
                    out.lines(step.time)
                    if form.lanes == 1:
                        out.lines(step.lane)
                        out.lines(f"u{i} = u{i} + S{i}" for i in range(dim))
                    else:
                        with lane_loop(out):
                            begun = [f"u{i} = w[{i} * L + l]" for i in range(dim)]
                            ended = [f"w[{i} * L + l] = u{i} + S{i}" for i in range(dim)]
                            out.lines(ordered([*begun, *step.lane, *ended]))
                store(out, dim, "i + 1", scalars=form.lanes == 1)
    return Generated(out.text(), tuple(step.emitter.constants.parameters))


def staged(stages: "StagedLines", form: Form) -> Generated:
    """The same for any explicit tableau, with the tableau's arrays as further arguments.

    ``solve(initial, out, t_save, counts, dt, c, first, last, starts, slots, weights, times, needed)``
    """
    dim, emitter = stages.dim, stages.emitter
    out = begin(form)
    with entry(out, form, f"initial, out, t_save, counts, {form.steps}, c, first, last, {stages.arguments}"):
        out.line("n = initial.shape[1]")
        out.lines(emitter.constants.prologue())
        stages.prologue(out, form)
        with out.block("for block in range(first, last)"):
            load(out, dim)
            if form.varying:
                out.line("step = 0")
            with out.block("for i in range(counts.size)"):
                with each_step(out, form, stages.scaled):
                    stages.step(out)
                    with out.block(f"for x in range({dim} * L)"):
                        out.line("w[x] = w[x] + h * y[x]")
                store(out, dim, "i + 1")
    return Generated(out.text(), tuple(emitter.constants.parameters))


class StagedLines:
    """The staged form of a step: leaves the increment divided by ``dt`` in ``y``, the stages in ``k``."""

    arguments = "starts, slots, weights, times, needed"
    scaled: tuple[str, ...] = ("h = F(dt)",)

    def __init__(self, graph: Graph, form: Form) -> None:
        self.emitter = emitter = Emitter(graph, form.function)
        self.dim = len(graph.outputs)
        self.time = emitter.time_lines(graph.outputs, "ts", "s")
        self.used = sorted({graph.ops[i][1][0] for i in graph.needed(graph.outputs) if graph.ops[i][0] == "u"})
        self.lane, self.results = emitter.lane_lines(graph.outputs, [f"y{i}" for i in range(self.dim)], "s")

    def prologue(self, out: Source, form: Form) -> None:
        if not form.varying:
            out.lines(self.scaled)
        out.line("stages = times.size")
        out.line(f"w = np.empty({self.dim} * L, dtype=F)")
        # Argument and result of the right-hand side share one array: literal offsets into it are
        # what lets the lane loop vectorise without run-time overlap checks.
        out.line(f"y = np.empty({2 * self.dim} * L, dtype=F)")
        out.line(f"k = np.zeros((stages + 1) * {self.dim} * L, dtype=F)")

    def step(self, out: Source) -> None:
        dim = self.dim
        with out.block("for s in range(stages + 1)"):
            with out.block("if s < stages and not needed[s]"):
                out.line("continue")
            with out.block("if starts[s] == starts[s + 1]"), out.block(f"for x in range({dim} * L)"):
                out.line("y[x] = w[x]")
            with out.block("for m in range(starts[s], starts[s + 1], 4)"):
                for q in range(4):
                    # A slice of its own starts at zero: no check for negative indices in the loop.
                    out.line(f"o{q} = slots[m + {q}] * {dim} * L")
                    out.line(f"k{q} = k[o{q} : o{q} + {dim} * L]")
                    out.line(f"a{q} = F(weights[m + {q}])")
                terms = [(f"a{q}", f"k{q}[x]") for q in range(4)]
                with out.block("if m == starts[s]"), out.block(f"for x in range({dim} * L)"):
                    out.line(f"y[x] = {fma_sum(terms)}")
                with out.block("else"), out.block(f"for x in range({dim} * L)"):
                    out.line(f"y[x] = {fma_sum(terms, 'y[x]')}")
            with out.block("if s == stages"):
                out.line("break")
            with out.block("if starts[s] < starts[s + 1]"), out.block(f"for x in range({dim} * L)"):
                out.line("y[x] = w[x] + h * y[x]")
            if self.time:
                out.line("ts = t + times[s] * dt")
                out.lines(self.time)
            with lane_loop(out):
                out.lines(f"y{i} = y[{i} * L + l]" for i in self.used)
                out.lines(self.lane)
                out.lines(f"y[{dim + i} * L + l] = {self.results[i]}" for i in range(dim))
            out.line(f"ks = k[s * {dim} * L : (s + 1) * {dim} * L]")
            with out.block(f"for x in range({dim} * L)"):
                out.line(f"ks[x] = y[{dim} * L + x]")


def staged_coefficients(a: Any, b: Any, c: Any, needed: Any) -> tuple[Any, ...]:
    """A tableau as the staged form's arguments: rows of terms, padded to fours with a slot of zeros.

    Row ``i`` makes the argument of stage ``i``, the last row the increment.
    """
    stages = len(b)
    starts: list[int] = [0]
    slots: list[int] = []
    weights: list[float] = []
    for row in [*a, b]:
        terms = [j for j in range(stages) if row[j] != 0]
        padding = -len(terms) % 4
        slots += terms + [stages] * padding
        weights += [float(row[j]) for j in terms] + [0.0] * padding
        starts.append(len(slots))
    return (
        np.array(starts, dtype=np.int64),
        np.array(slots, dtype=np.int64),
        np.array(weights, dtype=np.float64),
        np.array(c, dtype=np.float64),
        np.array(needed, dtype=np.bool_),
    )


def load(out: Source, dim: int, *, scalars: bool = False) -> None:
    """Initial states of a block, which are the first saved ones."""
    if scalars:
        out.lines(f"u{i} = initial[{i}, block]" for i in range(dim))
    else:
        out.line("begin = block * L")
        out.line("width = min(L, n - begin)")
        with out.block(f"for d in range({dim})"), out.block("for l in range(L)"):
            out.line("w[d * L + l] = initial[d, begin + min(l, width - 1)]")
    store(out, dim, "0", scalars=scalars)


def store(out: Source, dim: int, index: str, *, scalars: bool = False) -> None:
    """Save a block's states at a time index."""
    if scalars:
        out.lines(f"out[{index}, {i}, block] = u{i}" for i in range(dim))
        return
    with out.block(f"for d in range({dim})"), out.block("for l in range(width)"):
        out.line(f"out[{index}, d, begin + l] = w[d * L + l]")
