"""Adaptive steps of embedded pairs: every lane has its own time, step length and error.

A lane that has finished its trajectory takes the next one from the queue, so that lanes stay busy
although trajectories need different numbers of steps. Steps, errors and the choice of the next step run
over all lanes at once; only what happens rarely (a saved time is reached, a trajectory is lost, a lane
is refilled) is done lane by lane. A trajectory's numbers depend on nothing but itself.

Semantics: ``attns_core/backends/numpy_adaptive.py``.
"""

from typing import Protocol

from attns_core.kernels.attempts import FusedAttempt, Pair, StagedAttempt
from attns_core.kernels.emit import Emitter
from attns_core.kernels.error_control import placed
from attns_core.kernels.form import Form, Generated, begin, entry
from attns_core.kernels.lanes import call
from attns_core.kernels.recorder import Graph
from attns_core.kernels.source import Source

ARGUMENTS = "initial, out, t_save, tolerances, rules, max_steps, c, counters, first, last"
"""``tolerances`` = rtol, atol; ``rules`` = safety, least and largest factor, least error, reach,
proportional and integral exponents, error power; ``counters`` (3, n): accepted, rejected, why lost."""


def adaptive(graph: Graph, pair: Pair, form: Form) -> Generated:
    """``solve(...)`` of ``ARGUMENTS`` with whole attempts as straight-line code."""
    emitter = Emitter(graph, form.function)
    attempt = FusedAttempt(emitter, pair)
    return module(emitter, attempt, form, pair.is_fsal, tables="")


def adaptive_staged(graph: Graph, form: Form, *, is_fsal: bool, has_low: bool) -> Generated:
    """The same with the pair's coefficients as further arguments, for large right-hand sides."""
    emitter = Emitter(graph, form.function)
    attempt = StagedAttempt(emitter, is_fsal, has_low)
    return module(emitter, attempt, form, is_fsal, tables=", starts, slots, weights, times")


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
        constants.write(out)
        whole = [
            *(f"u{i} = u[{i}]" for i in range(dim)),
            *lines,
            *(f"r[{i}] = {results[i]}" for i in range(dim)),
        ]
        plain = [line for line in whole if isinstance(line, str)]
        if len(plain) == len(whole):
            call(out, plain)
        else:
            out.lines(whole)
    out.lines(["", ""])
    out.lines(_FIRST_STEP.splitlines())
    out.lines(["", ""])
    with entry(out, form, f"{ARGUMENTS}{tables}"):
        constants.write(out)
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
    return Generated(placed(out.text(), dim), tuple(constants.parameters))


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
z = np.empty(8 * L, dtype=np.float64)
who = np.empty(L, dtype=np.int64)
target = np.empty(L, dtype=np.int64)
for x in range(8 * L):
    z[x] = 0.0
for l in range(L):
    z[3 * L + l] = np.inf
    who[l] = -1
    target[l] = 1
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
