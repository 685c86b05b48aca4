"""Adaptive steps of embedded pairs: every lane has its own time, step length and error.

A lane that has finished its trajectory takes the next one from the queue, so that lanes stay busy
although trajectories need different numbers of steps. Steps, errors and the choice of the next step run
over all lanes at once; only what happens rarely (a saved time is reached, a trajectory is lost, a lane
is refilled) is done lane by lane. A trajectory's numbers depend on nothing but itself.

Semantics: ``attns_core/backends/numpy_adaptive.py``.
"""

import re
from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np

from attns_core.kernels.emit import Emitter, fma_sum
from attns_core.kernels.form import Form, Generated, begin, entry
from attns_core.kernels.recorder import Graph
from attns_core.kernels.source import Source

ARGUMENTS = "initial, out, t_save, tolerances, rules, max_steps, c, counters, first, last"
"""``tolerances`` = rtol, atol; ``rules`` = safety, least and largest factor, least error, reach,
proportional and integral exponents, error power; ``counters`` (3, n): accepted, rejected, why lost."""


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


def adaptive(graph: Graph, pair: Pair, form: Form) -> Generated:
    """``solve(...)`` of ``ARGUMENTS`` with whole attempts as straight-line code."""
    emitter = Emitter(graph, form.function)
    attempt = _FusedAttempt(emitter, pair)
    return module(emitter, attempt, form, pair.is_fsal, tables="")


def adaptive_staged(graph: Graph, form: Form, *, is_fsal: bool, has_low: bool) -> Generated:
    """The same with the pair's coefficients as further arguments, for large right-hand sides."""
    emitter = Emitter(graph, form.function)
    attempt = _StagedAttempt(emitter, is_fsal, has_low)
    return module(emitter, attempt, form, is_fsal, tables=", starts, slots, weights, times")


def staged_tables(pair: Pair) -> tuple[Any, ...]:
    """A pair as the staged form's tables; rows: stages, increment, error, lower error."""
    stages = len(pair.b)
    starts: list[int] = [0]
    slots: list[int] = []
    weights: list[float] = []
    rows = [*pair.a, pair.b, pair.b_error] + ([] if pair.b_low is None else [pair.b_low])
    for row in rows:
        terms = [j for j in range(stages) if row[j] != 0]
        padding = -len(terms) % 4
        slots += terms + [stages] * padding
        weights += [float(row[j]) for j in terms] + [0.0] * padding
        starts.append(len(slots))
    return (
        np.array(starts, dtype=np.int64),
        np.array(slots, dtype=np.int64),
        np.array(weights, dtype=np.float64),
        np.array(pair.c, dtype=np.float64),
    )


class _FusedAttempt:
    """An attempt as statements in the lane loop; leaves ``n0, n1, ...``, ``e`` and ``finite``."""

    def __init__(self, emitter: Emitter, pair: Pair) -> None:
        self.emitter, self.pair = emitter, pair
        graph = emitter.graph
        self.dim = dim = len(graph.outputs)
        literal = emitter.constants.literal
        u = [f"u{i}" for i in range(dim)]
        k: list[list[str]] = []
        lines: list[str] = []

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
            if graph.uses_time:
                lines.append(f"t{s} = F(t + {float(pair.c[s])!r} * h)")
            new, values = emitter.lane_lines(graph.outputs, names, f"s{s}", time=f"t{s}")
            lines += new
            k.append(values)
        lines += [f"n{i} = {u[i]} + g * ({combination(pair.b, i)})" for i in range(dim)]
        lines += ["e5 = zero", "e3 = zero"]
        for i in range(dim):
            lines.append(f"a{i} = scale({u[i]}, n{i}, rtol, atol)")
            lines.append(f"d{i}_ = g * ({combination(pair.b_error, i)}) / a{i}")
            lines.append(f"e5 = e5 + d{i}_ * d{i}_")
            if pair.b_low is not None:
                lines.append(f"o{i}_ = g * ({combination(pair.b_low, i)}) / a{i}")
                lines.append(f"e3 = e3 + o{i}_ * o{i}_")
        self.lines = lines
        self.first, self.last = k[0], k[-1]

    def prologue(self, out: Source) -> None:
        out.line(f"w = np.zeros({3 * self.dim + 1} * L, dtype=F)")

    def write(self, out: Source) -> None:
        dim = self.dim
        with out.block("for l in range(L)"):
            out.line("t = ts[l]")
            out.line("h = hs[l]")
            out.line("g = F(h)")
            out.lines(f"u{i} = w[{i} * L + l]" for i in range(dim))
            if self.pair.is_fsal:
                out.lines(f"f{i} = w[{dim + i} * L + l]" for i in range(dim))
            out.lines(self.lines)
            out.line("finite = zero" + "".join(f" + zero * n{i}" for i in range(dim)))
            out.line("begun = zero" + "".join(f" + zero * {name}" for name in self.first))
            control(out, dim)
            for i in range(dim):
                out.line(f"w[{i} * L + l] = n{i} if good else u{i}")
                if self.pair.is_fsal:
                    out.line(f"w[{dim + i} * L + l] = {self.last[i]} if good else f{i}")


class _StagedAttempt:
    """An attempt array by array, with coefficients from tables."""

    def __init__(self, emitter: Emitter, is_fsal: bool, has_low: bool) -> None:
        graph = emitter.graph
        self.dim = len(graph.outputs)
        self.is_fsal, self.has_low = is_fsal, has_low
        self.uses_time = graph.uses_time
        self.used = sorted({graph.ops[i][1][0] for i in graph.needed(graph.outputs) if graph.ops[i][0] == "u"})
        self.lane, self.results = emitter.lane_lines(graph.outputs, [f"y{i}" for i in range(self.dim)], "s", time="tl")

    def prologue(self, out: Source) -> None:
        dim = self.dim
        out.line("stages = times.size")
        out.line(f"w = np.zeros({3 * dim + 1} * L, dtype=F)")
        out.line(f"y = np.zeros({2 * dim} * L, dtype=F)")
        out.line(f"k = np.zeros((stages + 1) * {dim} * L, dtype=F)")
        out.line("sums = np.zeros(3 * L, dtype=F)")

    def write(self, out: Source) -> None:
        dim = self.dim
        rows = 3 if self.has_low else 2
        if self.is_fsal:
            with out.block(f"for x in range({dim} * L)"):
                out.line(f"k[x] = w[{dim} * L + x]")
        with out.block(f"for s in range({1 if self.is_fsal else 0}, stages + {rows})"):
            with out.block("for m in range(starts[s], starts[s + 1], 4)"):
                for q in range(4):
                    out.line(f"k{q} = k[slots[m + {q}] * {dim} * L : (slots[m + {q}] + 1) * {dim} * L]")
                    out.line(f"a{q} = F(weights[m + {q}])")
                terms = [(f"a{q}", f"k{q}[x]") for q in range(4)]
                with out.block("if m == starts[s]"), out.block(f"for x in range({dim} * L)"):
                    out.line(f"y[x] = {fma_sum(terms)}")
                with out.block("else"), out.block(f"for x in range({dim} * L)"):
                    out.line(f"y[x] = {fma_sum(terms, 'y[x]')}")
            with out.block("if starts[s] == starts[s + 1]"), out.block(f"for x in range({dim} * L)"):
                out.line("y[x] = zero")
            with out.block("if s == stages"):
                with out.block(f"for d in range({dim})"), out.block("for l in range(L)"):
                    out.line(f"w[({2 * dim} + d) * L + l] = w[d * L + l] + F(hs[l]) * y[d * L + l]")
                with out.block("for l in range(3 * L)"):
                    out.line("sums[l] = zero")
                out.line("continue")
            with out.block("if s > stages"):
                out.line("part = sums[(s - stages - 1) * L : (s - stages) * L]")
                with out.block(f"for d in range({dim})"), out.block("for l in range(L)"):
                    out.line(
                        f"q = F(hs[l]) * y[d * L + l] / scale(w[d * L + l], w[({2 * dim} + d) * L + l], rtol, atol)"
                    )
                    out.line("part[l] = part[l] + q * q")
                out.line("continue")
            with out.block(f"for d in range({dim})"), out.block("for l in range(L)"):
                out.line("y[d * L + l] = w[d * L + l] + F(hs[l]) * y[d * L + l]")
            out.line("cs = times[s]")
            with out.block("for l in range(L)"):
                if self.uses_time:
                    out.line("tl = F(ts[l] + cs * hs[l])")
                out.lines(f"y{i} = y[{i} * L + l]" for i in self.used)
                out.lines(self.lane)
                out.lines(f"y[{dim + i} * L + l] = {self.results[i]}" for i in range(dim))
            out.line(f"mine = k[s * {dim} * L : (s + 1) * {dim} * L]")
            with out.block(f"for x in range({dim} * L)"):
                out.line(f"mine[x] = y[{dim} * L + x]")
        with out.block("for l in range(L)"):
            out.line("sums[2 * L + l] = zero")
            out.line("checks[l] = zero")
        with out.block(f"for d in range({dim})"), out.block("for l in range(L)"):
            out.line(f"sums[2 * L + l] += zero * w[({2 * dim} + d) * L + l]")
            out.line("checks[l] += zero * k[d * L + l]")
        with out.block("for l in range(L)"):
            out.line("t = ts[l]")
            out.line("h = hs[l]")
            out.line("e5 = sums[l]")
            out.line("e3 = sums[L + l]" if self.has_low else "e3 = zero")
            out.line("finite = sums[2 * L + l]")
            out.line("begun = checks[l]")
            control(out, dim)
        out.line(f"final = k[(stages - 1) * {dim} * L : stages * {dim} * L]")
        with out.block(f"for d in range({dim})"), out.block("for l in range(L)"), out.block("if passed[l] > 0"):
            out.line(f"w[d * L + l] = w[({2 * dim} + d) * L + l]")
            if self.is_fsal:
                out.line(f"w[({dim} + d) * L + l] = final[d * L + l]")


def control(out: Source, dim: int) -> None:
    """The next step length, in double precision; ``good`` tells whether the attempt was accepted."""
    out.lines(
        [
            f"e = math.sqrt(np.float64(e5) / {dim}.0)",
            f"low = math.sqrt(np.float64(e3) / {dim}.0)",
            "both = math.sqrt(e * e + 0.01 * low * low)",
            "damped = e * (e / both)",
            "e = damped if low > 0.0 else e",
            "e = e + np.float64(finite)",
            "good = e <= 1.0",
            "log_e = log64(e if e > 1e-300 else 1e-300)",
            "exponent = integral * logs[l] - proportional * log_e if good else -log_e / power",
            "f = safety * exp64(exponent)",
            "f = f if f > least else least",
            "up = least if not (abs(e) < np.inf) else f",
            "f = f if f < largest else largest",
            "f = largest if e == 0.0 else f",
            "f = 1.0 if ((rest[l] > 0.0) & (f > 1.0)) else f",
            "f = f if good else up",
            "proposal = h * f",
            "dt = steps[l]",
            "lands = reach * dt >= goals[l] - t",
            "short = good & lands & (h < dt)",
            "kept = dt if dt > proposal else proposal",
            "steps[l] = kept if short else proposal",
            "bounded = log_e if e > least_error else log_least",
            "logs[l] = bounded if (good & (not short)) else logs[l]",
            "moved = goals[l] if lands else t + h",
            "ts[l] = moved if good else t",
            "rest[l] = 0.0 if good else 1.0",
            "passed[l] = 1.0 if good else 0.0",
            "landed[l] = 1.0 if (good & lands) else 0.0",
            "checks[l] = begun",
        ]
    )


class Attempt(Protocol):
    """Writes the attempts of all lanes, ending in :func:`control`."""

    dim: int

    def prologue(self, out: Source) -> None: ...
    def write(self, out: Source) -> None: ...


def module(emitter: Emitter, attempt: Attempt, form: Form, is_fsal: bool, *, tables: str = "") -> Generated:
    """The kernel around an attempt: the queue of trajectories, first steps, saving."""
    dim = attempt.dim
    graph = emitter.graph
    out = begin(form, also=("exp64", "log64"))
    out.line('@njit(error_model="numpy", forceinline=True)')
    with out.block("def scale(a, b, rtol, atol)"):
        out.line("a = abs(a)")
        out.line("b = abs(b)")
        out.line("return atol + rtol * (b if b > a else a)")
    out.lines(["", ""])
    # The right-hand side of one trajectory, for first steps.
    single = Emitter(graph, form.function)
    single.constants = emitter.constants
    lines, results = single.lane_lines(graph.outputs, [f"u{i}" for i in range(dim)], "s", time="t")
    constants = emitter.constants
    out.line('@njit(error_model="numpy")')
    with out.block("def rhs(time, u, r, c)"):
        out.line("t = F(time)")
        out.lines(constants.prologue())
        out.lines(f"u{i} = u[{i}]" for i in range(dim))
        out.lines(lines)
        out.lines(f"r[{i}] = {results[i]}" for i in range(dim))
    out.lines(["", ""])
    out.lines(_FIRST_STEP.splitlines())
    out.lines(["", ""])
    with entry(out, form, f"{ARGUMENTS}{tables}"):
        out.lines(constants.prologue())
        out.lines(_PROLOGUE.splitlines())
        out.line(f"u = np.empty({dim}, dtype=F)")
        out.line(f"slope = np.empty({dim}, dtype=F)")
        out.line(f"other = np.empty({dim}, dtype=F)")
        attempt.prologue(out)
        with out.block("while True"):
            with out.block("for l in range(L)"):
                _settle(out, dim)
            with out.block("if alive == 0"):
                out.line("break")
            attempt.write(out)
            with out.block("for l in range(L)"):
                _bookkeep(out, dim)
    return Generated(_place(out.text(), dim), tuple(constants.parameters))


_ROWS = ("ts", "hs", "steps", "goals", "logs", "rest", "passed", "landed")


def _place(text: str, dim: int) -> str:
    """Turn per-lane names such as ``ts[l]`` into rows of one array: few arrays, few overlap checks."""
    for i, name in enumerate(_ROWS):
        text = re.sub(rf"\b{name}\[l\]", f"z[{i} * L + l]", text)
    return re.sub(r"\bchecks\[l\]", f"w[{3 * dim} * L + l]", text)


_FIRST_STEP = """@njit(error_model="numpy")
def first_step(u, k1, other, t, t_end, rtol, atol, power, c):
    d0 = 0.0
    d1 = 0.0
    for i in range(u.size):
        s = atol + rtol * abs(u[i])
        d0 += (u[i] / s) ** 2
        d1 += (k1[i] / s) ** 2
    d0 = math.sqrt(d0 / u.size)
    d1 = math.sqrt(d1 / u.size)
    h0 = 1e-6 if d0 < 1e-5 or d1 < 1e-5 else 0.01 * d0 / d1
    h0 = min(h0, t_end - t)
    saved = u.copy()
    for i in range(u.size):
        u[i] = u[i] + h0 * k1[i]
    rhs(t + h0, u, other, c)
    d2 = 0.0
    for i in range(u.size):
        u[i] = saved[i]
        d2 += ((other[i] - k1[i]) / (atol + rtol * abs(u[i]))) ** 2
    d2 = math.sqrt(d2 / u.size) / h0
    most = max(d1, d2)
    h1 = max(1e-6, 1e-3 * h0) if most <= 1e-15 else (0.01 / most) ** (1.0 / power)
    return min(100.0 * h0, h1)"""

_PROLOGUE = """zero = F(0)
rtol = F(tolerances[0])
atol = F(tolerances[1])
safety, least, largest, least_error, reach, proportional, integral, power = rules
log_least = math.log(least_error)
t_end = t_save[t_save.size - 1]
z = np.zeros(8 * L)
z[3 * L : 4 * L] = np.inf
who = np.full(L, -1)
target = np.ones(L, dtype=np.int64)
queue = first
alive = L"""


def _settle(out: Source, dim: int) -> None:
    """Before an attempt: choose ``h``; give a lane up, or refill it, until it has something to do."""
    with out.block("while True"):
        with out.block("if who[l] < 0"):
            with out.block("if queue >= last"):
                with out.block("if who[l] == -1"):
                    out.line("who[l] = -2")
                    out.line("alive -= 1")
                    out.line("steps[l] = 0.0")
                    out.line("goals[l] = np.inf")
                    out.line("hs[l] = 0.0")
                out.line("break")
            out.line("who[l] = queue")
            out.line("queue += 1")
            out.lines(f"u[{i}] = initial[{i}, who[l]]" for i in range(dim))
            with out.block(f"for d in range({dim})"):
                out.line("out[0, d, who[l]] = u[d]")
            with out.block("if t_save.size == 1"):
                out.line("who[l] = -1")
                out.line("continue")
            out.line("ts[l] = t_save[0]")
            out.line("rhs(ts[l], u, slope, c)")
            out.line("steps[l] = first_step(u, slope, other, ts[l], t_end, rtol, atol, power, c)")
            with out.block(f"for d in range({dim})"):
                out.line("w[d * L + l] = u[d]")
                out.line(f"w[({dim} + d) * L + l] = slope[d]")
            out.line("target[l] = 1")
            out.line("goals[l] = t_save[1]")
            out.line("logs[l] = log_least")
            out.line("rest[l] = 0.0")
            out.line("broken = zero")
            with out.block(f"for d in range({dim})"):
                out.line("broken += zero * (u[d] + slope[d])")
            with out.block("if broken != zero"):
                out.line("checks[l] = broken")
            with out.block("else"):
                out.line("checks[l] = zero")
        out.line("own = who[l]")
        out.line("left = goals[l] - ts[l]")
        out.line("lands = reach * steps[l] >= left")
        out.line("h = left if lands else steps[l]")
        out.line("why = 0")
        with out.block("if counters[0, own] + counters[1, own] >= max_steps"):
            out.line("why = 1")
        with out.block("if not lands and not (h >= 10 * 2.220446049250313e-16 * max(abs(ts[l]), abs(goals[l])))"):
            out.line("why = 2")
        with out.block("if not (checks[l] == zero)"):
            out.line("why = 3")
        with out.block("if why == 0"):
            out.line("hs[l] = h")
            out.line("break")
        out.line("counters[2, own] = why")
        with out.block("for s in range(target[l], t_save.size)"), out.block(f"for d in range({dim})"):
            out.line("out[s, d, own] = np.nan")
        out.line("who[l] = -1")


def _bookkeep(out: Source, dim: int) -> None:
    """After an attempt: count it, save what landed, free the lanes that are done."""
    out.line("own = who[l]")
    with out.block("if own < 0"):
        out.line("checks[l] = zero")
        out.line("continue")
    with out.block("if not (checks[l] == zero)"):
        out.line("continue")
    with out.block("if passed[l] > 0.0"):
        out.line("counters[0, own] += 1")
    with out.block("else"):
        out.line("counters[1, own] += 1")
    with out.block("if landed[l] > 0.0"):
        with out.block(f"for d in range({dim})"):
            out.line("out[target[l], d, own] = w[d * L + l]")
        out.line("target[l] += 1")
        with out.block("if target[l] == t_save.size"):
            out.line("who[l] = -1")
        with out.block("else"):
            out.line("goals[l] = t_save[target[l]]")
