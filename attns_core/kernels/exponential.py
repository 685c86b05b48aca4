"""Exponential Runge-Kutta steps over blocks of lanes: dense matrices times states, right-hand sides between."""

from attns_core.kernels.fixed import StagedLines
from attns_core.kernels.form import Form
from attns_core.kernels.graph import Graph
from attns_core.kernels.source import Source
from attns_core.kernels.stage_arrays import evaluate_stage


class ExponentialLines(StagedLines):
    """A step with ``inner[s, j]`` (times ``dt``), ``outer[s]`` and ``part`` (of the right-hand side) as dense matrices.

    Leaves the increment divided by ``dt`` in ``y``, the stages in ``k``, as the explicit form does.
    """

    def __init__(self, graph: Graph, form: Form) -> None:
        super().__init__(graph, form)
        self.arguments = "inner, present, outer, part, times"
        self.inner, self.outer = "inner[s, j_, d, e]", "outer[s, d, e]"
        if form.varying:
            # One pair of tables for each length that occurs.
            self.arguments = "inners, present, outers, part, times, table"
            self.scaled = (*self.scaled, "pair = table[step]")
            self.inner, self.outer = "inners[pair, s, j_, d, e]", "outers[pair, s, d, e]"

    def prologue(self, out: Source, form: Form) -> None:
        super().prologue(out, form)
        out.line(f"shift = empty_rows({self.dim} * L, F)")

    def step(self, out: Source) -> None:
        dim = self.dim
        with out.block("for s in range(stages)"):
            with out.block(f"for x in range({dim} * L)"):
                out.line("shift[x] = F(0)")
            with out.block("for j_ in range(s)"), out.block("if present[s, j_]"):
                self._add(out, self.inner, f"k[j_ * {dim} * L : (j_ + 1) * {dim} * L]", "shift")
            out.line(f"ks = k[s * {dim} * L : (s + 2) * {dim} * L]")
            with out.block(f"for x in range({dim} * L)"):
                out.line(f"ks[{dim} * L + x] = w[x] + shift[x]")
            if self.time:
                out.line("ts = t + times[s] * dt")
                out.lines(self.time)
            evaluate_stage(out, dim, self.used, self.lane, self.results)
            self._add(out, "-part[d, e]", "shift", "ks")
        with out.block(f"for x in range({dim} * L)"):
            out.line("y[x] = F(0)")
        with out.block("for s in range(stages)"):
            self._add(out, self.outer, f"k[s * {dim} * L : (s + 1) * {dim} * L]", "y")

    def _add(self, out: Source, entry: str, source: str, target: str) -> None:
        """``target += matrix @ source``; entries that are zero cost nothing."""
        out.line(f"from_ = {source}")
        with out.block(f"for d in range({self.dim})"):
            out.line(f"row = {target}[d * L : (d + 1) * L]")
            with out.block(f"for e in range({self.dim})"):
                out.line(f"entry = {entry}")
                with out.block("if entry != 0"):
                    out.line("column = from_[e * L : (e + 1) * L]")
                    with out.block("for l in range(L)"):
                        out.line("row[l] = fma(entry, column[l], row[l])")
