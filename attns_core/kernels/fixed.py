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

from attns_core.kernels.emit import Emitter
from attns_core.kernels.form import Form, Generated, begin, each_step, entry
from attns_core.kernels.graph import Graph
from attns_core.kernels.lanes import lane_loop, written
from attns_core.kernels.order import ordered
from attns_core.kernels.queries import Queries
from attns_core.kernels.source import Source
from attns_core.kernels.stage_arrays import component_tables, define_sums, evaluate_stage, used_components
from attns_core.kernels.step import Step
from attns_core.kernels.vectors import LINE

ASKED_FROM = 16
"""Components from which places of saved states are asked for ahead.

Measured, RK4, every tenth state saved: 20 % (float32 48 %) less time with 40 components, 5 to 10 % more with 4.
"""


def fused(step: Step, form: Form) -> Generated:
    """``solve(initial, out, t_save, counts, dt, c, first, last)`` for whole steps as straight-line code.

    With varying steps ``begins, lengths`` stand in the place of ``dt``, here and below.
    """
    dim = step.dim
    out = begin(form)
    with entry(out, form, f"initial, out, t_save, counts, {form.steps}, c, first, last"):
        out.line("n = initial.shape[1]")
        if form.lanes > 1:
            out.line(f"w = empty_rows({dim} * L, F)")
        with written(out):
            step.emitter.constants.write(out)
            if not form.varying:
                out.lines(step.prologue)
            with out.block("for block in range(first, last)"):
                load(out, dim, scalars=form.lanes == 1)
                if form.varying:
                    out.line("step = 0")
                with out.block("for i in range(counts.size)"):
                    with each_step(out, form, step.prologue, timed=bool(step.time)):
                        if form.lanes > 1:
                            ask_ahead(out, form, dim)
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

    ``solve(initial, out, t_save, counts, dt, c, first, last, starts, slots, weights, times, after)``
    """
    dim, emitter = stages.dim, stages.emitter
    out = begin(form)
    with entry(out, form, f"initial, out, t_save, counts, {form.steps}, c, first, last, {stages.arguments}"):
        out.line("n = initial.shape[1]")
        stages.prologue(out, form)
        with written(out):
            emitter.constants.write(out)
            with out.block("for block in range(first, last)"):
                load(out, dim)
                if form.varying:
                    out.line("step = 0")
                with out.block("for i in range(counts.size)"):
                    with each_step(out, form, stages.scaled):
                        ask_ahead(out, form, dim)
                        stages.step(out)
                        with out.block(f"for x in range({dim} * L)"):
                            out.line("w[x] = w[x] + h * y[x]")
                    store(out, dim, "i + 1")
    return Generated(out.text(), tuple(emitter.constants.parameters))


class StagedLines:
    """The staged form of a step: leaves the increment divided by ``dt`` in ``y``, the stages in ``k``.

    A stage's argument waits where the next stage will be, so that nothing is copied; stages that are left out are zero
    after the step. With ``sets`` of weights, as learned tableaus have, each of as many blocks of components has its
    own, the tableau is full, and rows are summed two at a time. With ``queries``, weights depend on the state, and
    are made at the beginning of the step.
    """

    arguments: str = "starts, slots, weights, times, after"
    scaled: tuple[str, ...] = ("h = F(dt)",)

    def __init__(self, graph: Graph, form: Form, *, sets: int | None = None, queries: Queries | None = None) -> None:
        self.sets, self.form, self.full, self.queries = sets or 1, form, sets is not None, queries
        self.weights = "weights"
        if queries is not None:
            self.arguments, self.weights = f"{self.arguments}, {queries.arguments}", "mine"
        self.emitter = emitter = Emitter(graph, form.function)
        self.dim = len(graph.outputs)
        self.time = emitter.time_lines(graph.outputs, "ts", "s")
        self.used = used_components(graph)
        self.lane, self.results = emitter.lane_lines(graph.outputs, [f"y{i}" for i in range(self.dim)], "s")

    def prologue(self, out: Source, form: Form) -> None:
        if not form.varying:
            out.lines(self.scaled)
        out.line("stages = times.size")
        out.line(f"w = empty_rows({self.dim} * L, F)")
        out.line(f"y = empty_rows({self.dim} * L, F)")
        out.line(f"k = empty_rows((stages + 2) * {self.dim} * L, F)")
        if self.queries is not None:
            self.queries.prologue(out, self.sets)

    def step(self, out: Source) -> None:
        dim = self.dim
        define_sums(out, dim, self.sets, self.form, full=self.full, attentive=self.queries is not None)
        if self.queries is not None:
            self.queries.attend(out, self.form, self.sets)
        if self.full:
            out.line("partner = 0")
        with out.block("for s in range(stages)"):
            out.line(f"ks = k[s * {dim} * L : (s + 2) * {dim} * L]")
            with out.block("if after[s] == 0"):
                with out.block(f"for x in range({dim} * L)"):
                    out.line("ks[x] = F(0)")
                out.line("continue")
            with out.block("if starts[s] == starts[s + 1]"), out.block(f"for x in range({dim} * L)"):
                out.line(f"ks[{dim} * L + x] = w[x]")
            with out.block("else"):
                self._argument(out)
            if self.time:
                out.line("ts = t + times[s] * dt")
                out.lines(self.time)
            evaluate_stage(out, dim, self.used, self.lane, self.results)
        if not self.full:
            out.line(f"done = weigh(y, 0, {self._terms('stages')})")
            return
        with out.block("if partner == stages"):
            out.line(f"done = weigh_rest(y, 0, {self._rest('stages')}, (stages + 1) * {dim})")
        with out.block("else"):
            out.line(f"done = weigh(y, 0, {self._terms('stages')})")

    def _argument(self, out: Source) -> None:
        """State and sum of row ``s``; of a full tableau two rows share all terms but the second's last."""
        row = f"(s + 1) * {self.dim}"
        if not self.full:
            out.line(f"done = weigh_onto(k, {row}, {self._terms('s')}, w, h)")
            return
        with out.block("if partner == s"):
            out.line(f"done = weigh_rest_onto(k, {row}, {self._rest('s')}, {row}, w, h)")
        with out.block("else"):
            out.line("partner = after[s]")
            ahead = f"(partner + 1) * {self.dim}, starts[partner]"
            out.line(f"done = weigh_two(k, {row}, {self._terms('s')}, {ahead}, w, h)")

    def _terms(self, row: str) -> str:
        """Stages, weights, first and last term of a row's sum."""
        return f"k, slots, {self.weights}, starts[{row}], starts[{row} + 1]"

    def _rest(self, row: str) -> str:
        """As :meth:`_terms` for the last term of a row that was begun ahead."""
        return f"k, slots, {self.weights}, starts[{row} + 1] - 1, starts[{row} + 1]"


def staged_coefficients(
    a: Any, b: Any, c: Any, needed: Any, *, dtype: str = "float64", full: bool = False
) -> tuple[Any, ...]:
    """A tableau as the staged form's arguments.

    Row ``i`` makes the argument of stage ``i``, the last row the increment. Weights ``a`` (stages, stages, sets) and
    ``b`` (stages, sets) may differ from block to block of components; where they have one axis more, queries combine
    those along it. The last argument says of each stage which row is the next one, and 0 of one that is left out.
    """
    stages = len(c)
    rows = [np.reshape(row, (stages, -1)) for row in [*a, b]]
    kept = np.flatnonzero(needed)
    after = np.zeros(stages, dtype=np.int64)
    after[kept] = [*kept[1:], stages]
    return (*component_tables(rows, dtype, full=kept.tolist() if full else None), np.array(c, dtype=np.float64), after)


def load(out: Source, dim: int, *, scalars: bool = False) -> None:
    """Initial states of a block, which are the first saved ones."""
    if scalars:
        out.lines(f"u{i} = initial[{i}, block]" for i in range(dim))
    else:
        block_of_lanes(out, "w", dim)
    store(out, dim, "0", scalars=scalars)


def block_of_lanes(out: Source, array: str, dim: int) -> None:
    """A block's initial states into an array; the last one is repeated where trajectories end."""
    out.line("begin = block * L")
    out.line("width = L if L < n - begin else n - begin")
    with out.block(f"for d in range({dim})"), out.block("for l in range(L)"):
        out.line(f"{array}[d * L + l] = initial[d, begin + (l if l < width else width - 1)]")


def ask_ahead(out: Source, form: Form, dim: int) -> None:
    """In step ``j`` of an interval, have its part of the places brought near where the interval's states go.

    They are far, in memory or in a cache of all cores: waiting for them at the end of the interval takes half of the
    time where steps are cheap and saved states many.
    """
    if dim < ASKED_FROM:
        return
    per_line = LINE // form.itemsize
    with out.block(f"for d in range(j, {dim}, counts[i])"):
        with out.block(f"for l in range(0, L, {per_line})"):
            out.line("asked = ask_for(out, i + 1, d, begin + l)")
        # States begin anywhere in a line.
        out.line("asked = ask_for(out, i + 1, d, begin + L - 1)")


def store(out: Source, dim: int, index: str, *, scalars: bool = False) -> None:
    """Save a block's states at a time index."""
    if scalars:
        out.lines(f"out[{index}, {i}, block] = u{i}" for i in range(dim))
        return
    with out.block(f"for d in range({dim})"), out.block("for l in range(width)"):
        out.line(f"out[{index}, d, begin + l] = w[d * L + l]")
