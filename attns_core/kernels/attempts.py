"""Attempts of embedded pairs: as straight-line code, or array by array with coefficients from tables."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.kernels.emit import Emitter, fma_sum
from attns_core.kernels.error_control import decide, scale, sums
from attns_core.kernels.form import Form
from attns_core.kernels.lanes import lane_loop
from attns_core.kernels.source import Source, Statement
from attns_core.kernels.stage_arrays import component_tables, define_sums, evaluate_stage, used_components


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """An embedded pair's coefficients."""

    a: Any
    b: Any
    c: Any
    b_error: Any
    b_low: Any = None
    is_fsal: bool = False


def staged_tables(pair: Pair, dtype: str) -> tuple[Any, ...]:
    """A pair as the staged form's tables; rows: stages, increment, error, lower error."""
    rows = [*pair.a, pair.b, pair.b_error] + ([] if pair.b_low is None else [pair.b_low])
    tables = component_tables([np.reshape(row, (-1, 1)) for row in rows], dtype)
    return (*tables, np.array(pair.c, dtype=np.float64))


class FusedAttempt:
    """An attempt as statements in the lane loop."""

    def __init__(self, emitter: Emitter, pair: Pair) -> None:
        self.emitter, self.pair = emitter, pair
        graph = emitter.graph
        self.dim = dim = len(graph.outputs)
        literal = emitter.constants.literal
        u = [f"u{i}" for i in range(dim)]
        k: list[list[str]] = []
        lines: list[Statement] = []
        if graph.uses_time:
            lines += [f"t{s} = F(t + {float(c)!r} * h)" for s, c in enumerate(pair.c)]

        def combination(row: Any, i: int) -> str:
            return fma_sum([(literal(float(w)), k[j][i]) for j, w in enumerate(row) if w != 0])

        for s in range(len(pair.b)):
            if s == 0 and pair.is_fsal:
                k.append([f"f{i}" for i in range(dim)])
                continue
            names = u
            if s:
                names = [f"y{s}_{i}" for i in range(dim)]
                lines += [f"{names[i]} = {u[i]} + g * ({combination(pair.a[s], i)})" for i in range(dim)]
            new, values = emitter.lane_lines(graph.outputs, names, f"s{s}", time=f"t{s}")
            lines += new
            k.append(values)
        lines += [f"n{i} = {u[i]} + g * ({combination(pair.b, i)})" for i in range(dim)]
        lines += ["e5 = zero", "e3 = zero"]
        for i in range(dim):
            # One division for both estimates, begun before they are known.
            lines += [*scale(f"a{i}", u[i], f"n{i}"), f"r{i}_ = g / a{i}"]
            lines.append(f"d{i}_ = ({combination(pair.b_error, i)}) * r{i}_")
            lines.append(f"e5 = e5 + d{i}_ * d{i}_")
            if pair.b_low is not None:
                lines.append(f"o{i}_ = ({combination(pair.b_low, i)}) * r{i}_")
                lines.append(f"e3 = e3 + o{i}_ * o{i}_")
        self.lines = lines
        self.first, self.last = k[0], k[-1]

    def prologue(self, out: Source) -> None:
        """Whole attempts need no arrays of their own."""

    def begin(self, out: Source) -> None:
        """Whole attempts begin with nothing."""

    def write(self, out: Source) -> None:
        dim, has_low = self.dim, self.pair.b_low is not None
        with lane_loop(out):
            out.line("t = ts[l]")
            out.line("h = hs[l]")
            out.line("g = F(h)")
            out.lines(f"u{i} = w[{i} * L + l]" for i in range(dim))
            if self.pair.is_fsal:
                out.lines(f"f{i} = w[{dim + i} * L + l]" for i in range(dim))
            out.lines(self.lines)
            out.lines(sums(dim, self.first))
            if self.pair.is_fsal:
                out.lines(f"w[{3 * dim + i} * L + l] = {self.last[i]}" for i in range(dim))
            if has_low:
                out.line("e3s[l] = e3")
        decide(out, dim, has_low=has_low, accepted_rows=2 * dim if self.pair.is_fsal else dim)


class StagedAttempt:
    """An attempt array by array, with coefficients from tables."""

    def __init__(self, emitter: Emitter, form: Form, *, is_fsal: bool, has_low: bool) -> None:
        self.form = form
        graph = emitter.graph
        self.dim = len(graph.outputs)
        self.is_fsal, self.has_low = is_fsal, has_low
        self.uses_time = graph.uses_time
        self.used = used_components(graph)
        self.lane, self.results = emitter.lane_lines(graph.outputs, [f"y{i}" for i in range(self.dim)], "s", time="tl")

    def prologue(self, out: Source) -> None:
        dim = self.dim
        out.line("stages = times.size")
        out.line(f"y = empty_rows({dim} * L, F)")
        out.line(f"k = empty_rows((stages + 1) * {dim} * L, F)")
        out.line("g = empty_rows(L, F)")
        out.line("sums = empty_rows(4 * L, F)")

    def begin(self, out: Source) -> None:
        """Stages are written before they are read."""

    def write(self, out: Source) -> None:
        dim = self.dim
        estimates = 2 if self.has_low else 1
        if self.is_fsal:
            with out.block(f"for x in range({dim} * L)"):
                out.line(f"k[x] = w[{dim} * L + x]")
        define_sums(out, dim, 1, self.form)
        with out.block("for l in range(L)"):
            out.line("g[l] = F(hs[l])")
        with out.block(f"for s in range({1 if self.is_fsal else 0}, stages)"):
            out.line(f"ks = k[s * {dim} * L : (s + 2) * {dim} * L]")
            with out.block("if starts[s] == starts[s + 1]"), out.block(f"for x in range({dim} * L)"):
                out.line(f"ks[{dim} * L + x] = w[x]")
            with out.block("else"):
                out.line(f"done = weigh_onto(k, (s + 1) * {dim}, k, slots, weights, starts[s], starts[s + 1], w, g)")
            out.line("cs = times[s]")
            time = "tl = F(ts[l] + cs * hs[l])" if self.uses_time else ""
            evaluate_stage(out, dim, self.used, self.lane, self.results, time)
        out.line(f"done = weigh_onto(w, {2 * dim}, k, slots, weights, starts[stages], starts[stages + 1], w, g)")
        with out.block("for l in range(2 * L)"):
            out.line("sums[l] = zero")
        with out.block(f"for s in range({estimates})"):
            out.line("part = sums[s * L : (s + 1) * L]")
            out.line("done = weigh(y, 0, k, slots, weights, starts[stages + 1 + s], starts[stages + 2 + s])")
            with out.block(f"for d in range({dim})"), out.block("for l in range(L)"):
                out.lines(scale("a", "w[d * L + l]", f"w[({2 * dim} + d) * L + l]"))
                out.line("q = g[l] * y[d * L + l] / a")
                out.line("part[l] = part[l] + q * q")
        with out.block("for x in range(2 * L, 4 * L)"):
            out.line("sums[x] = zero")
        with out.block(f"for d in range({dim})"), out.block("for l in range(L)"):
            out.line(f"sums[2 * L + l] += zero * w[({2 * dim} + d) * L + l]")
            out.line("sums[3 * L + l] += zero * k[d * L + l]")
        with out.block("for l in range(L)"):
            names = ("e5s", "e3s", "finites", "checks")
            out.lines(f"{name}[l] = sums[{i} * L + l]" for i, name in enumerate(names))
        decide(out, dim, has_low=self.has_low)
        out.line(f"final = k[(stages - 1) * {dim} * L : stages * {dim} * L]")
        with out.block(f"for d in range({dim})"), out.block("for l in range(L)"), out.block("if passed[l] > 0"):
            out.line(f"w[d * L + l] = w[({2 * dim} + d) * L + l]")
            if self.is_fsal:
                out.line(f"w[({dim} + d) * L + l] = final[d * L + l]")
