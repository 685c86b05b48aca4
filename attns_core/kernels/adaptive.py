"""Adaptive steps of embedded pairs: every lane has its own time, step length and error.

A lane that has finished its trajectory takes the next one from the queue, so that lanes stay busy
although trajectories need different numbers of steps. Steps, errors and the choice of the next step run
over all lanes at once; only what happens rarely (a saved time is reached, a trajectory is lost, a lane
is refilled) is done lane by lane, where the decision about an attempt says so. A trajectory's numbers
depend on nothing but itself.

Semantics: ``attns_core/backends/numpy_adaptive.py``.
"""

from typing import Protocol

from attns_core.kernels.attempts import FusedAttempt, Pair, StagedAttempt
from attns_core.kernels.emit import Emitter
from attns_core.kernels.error_control import arrays, choose, lane_numbers
from attns_core.kernels.form import Form, Generated, begin, entry
from attns_core.kernels.graph import Graph
from attns_core.kernels.lanes import written
from attns_core.kernels.source import Source

ARGUMENTS = "initial, out, t_save, tolerances, rules, max_steps, c, counters, first, last"
"""``tolerances`` = rtol, atol; ``rules`` = safety, least and largest factor, least error, reach,
proportional and integral exponents, error power; ``counters`` (3, n): accepted, rejected, why lost."""


def adaptive(graph: Graph, pair: Pair, form: Form) -> Generated:
    """``solve(...)`` of ``ARGUMENTS`` with whole attempts as straight-line code."""
    emitter = Emitter(graph, form.function)
    attempt = FusedAttempt(emitter, pair)
    return module(emitter, attempt, form)


def adaptive_staged(graph: Graph, form: Form, *, is_fsal: bool, has_low: bool) -> Generated:
    """The same with the pair's coefficients as further arguments, for large right-hand sides."""
    emitter = Emitter(graph, form.function)
    attempt = StagedAttempt(emitter, form, is_fsal=is_fsal, has_low=has_low)
    return module(emitter, attempt, form, tables=", starts, slots, weights, times")


class Attempt(Protocol):
    """Writes arrays, what is done once, and the attempts of all lanes, ending in :func:`decide`."""

    dim: int

    def prologue(self, out: Source) -> None: ...
    def begin(self, out: Source) -> None: ...
    def write(self, out: Source) -> None: ...


def module(emitter: Emitter, attempt: Attempt, form: Form, *, tables: str = "") -> Generated:
    """The kernel around an attempt: the queue of trajectories, first steps, saving."""
    dim = attempt.dim
    out = begin(form, also=("exp64", "log64"))
    constants = emitter.constants
    with entry(out, form, f"{ARGUMENTS}{tables}"):
        out.lines(_ARRAYS.splitlines())
        arrays(out, dim)
        out.line(f"single = empty_rows({2 * dim}, F)")
        attempt.prologue(out)
        with written(out):
            constants.write(out)
            out.lines([*lane_numbers(dim), *_PROLOGUE.splitlines()])
            attempt.begin(out)
            with out.block("while True"):
                with out.block("for l in range(L)"):
                    _settle(out, emitter, dim)
                with out.block("if alive == 0"):
                    out.line("break")
                choose(out)
                attempt.write(out)
    return Generated(out.text(), tuple(constants.parameters))


_ARRAYS = """safety, least, largest, least_error, reach, proportional, integral, power = rules
who = np.empty(L, dtype=np.int64)
target = np.empty(L, dtype=np.int64)"""

_PROLOGUE = """zero = F(0)
rtol = F(tolerances[0])
atol = F(tolerances[1])
# For logarithms of squares.
log_least = 2.0 * math.log(least_error)
by_error = 0.5 * proportional
by_last = 0.5 * integral
per_power = 0.5 / power
limit = np.float64(max_steps)
t_end = t_save[t_save.size - 1]
for x in range(w.size):
    w[x] = zero
for x in range(z.size):
    z[x] = 0.0
for l in range(L):
    events[l] = 1.0
    who[l] = -1
queue = first
alive = L"""


def _settle(out: Source, emitter: Emitter, dim: int) -> None:
    """Between attempts: save what landed; refill the lane of a trajectory that is done or lost.

    ``who`` is the lane's trajectory, -1 before the first one, -2 when there are no more.
    """
    with out.block("if (events[l] == 0.0) | (who[l] == -2)"):
        out.line("continue")
    out.line("own = who[l]")
    with out.block("if own >= 0"):
        out.line("reached = target[l]")
        with out.block("if events[l] < 0.0"):
            with out.block(f"for d in range({dim})"):
                out.line("out[reached, d, own] = w[d * L + l]")
            out.line("reached += 1")
            with out.block("if reached < t_save.size"):
                out.line("target[l] = reached")
                out.line("goals[l] = t_save[reached]")
                out.line("continue")
        with out.block("else"):
            out.line("counters[2, own] = np.int64(events[l])")
        out.line("counters[0, own] = np.int64(accepted[l])")
        out.line("counters[1, own] = np.int64(rejected[l])")
        _lose(out, dim, "reached")
    with out.block("while True"):
        with out.block("if queue >= last"):
            out.line("who[l] = -2")
            out.line("alive -= 1")
            out.line("steps[l] = 0.0")
            out.line("goals[l] = np.inf")
            out.line("break")
        out.line("own = queue")
        out.line("queue += 1")
        with out.block(f"for d in range({dim})"):
            out.line("out[0, d, own] = initial[d, own]")
        with out.block("if t_save.size == 1"):
            out.line("continue")
        out.line("ts[l] = t_save[0]")
        _first_step(out, emitter, dim)
        with out.block("if broken != zero"):
            out.line("counters[2, own] = 3")
            _lose(out, dim, "1")
            out.line("continue")
        out.lines(["who[l] = own", "target[l] = 1", "goals[l] = t_save[1]", "logs[l] = log_least"])
        out.lines(f"{name}[l] = 0.0" for name in ("rest", "accepted", "rejected"))
        out.line("break")


def _lose(out: Source, dim: int, first: str) -> None:
    """No states at saved times from the ``first`` on."""
    with out.block(f"for later in range({first}, t_save.size)"), out.block(f"for d in range({dim})"):
        out.line("out[later, d, own] = np.nan")


def _first_step(out: Source, emitter: Emitter, dim: int) -> None:
    """State and slope of lane ``l``, the length of its first step, and in ``broken`` whether it can be made.

    Two evaluations: at the beginning, and after an Euler step along the slope there.
    """
    single = Emitter(emitter.graph, emitter.lane_function)
    single.constants = emitter.constants
    lines, results = single.lane_lines(emitter.graph.outputs, [f"u{i}" for i in range(dim)], "s", time="t")
    with out.block(f"for d in range({dim})"):
        out.line("single[d] = initial[d, own]")
    out.lines(["moment = ts[l]", "trial = 0.0", "slope_size = 0.0", "broken = zero"])
    with out.block("for turn in range(2)"):
        out.line("t = F(moment)")
        out.lines(f"u{i} = single[{i}]" for i in range(dim))
        out.lines(lines)
        out.lines(f"single[{dim + i}] = {results[i]}" for i in range(dim))
        with out.block("if turn == 0"):
            out.line("state_size = 0.0")
            with out.block(f"for d in range({dim})"):
                out.line("w[d * L + l] = single[d]")
                out.line(f"w[({dim} + d) * L + l] = single[{dim} + d]")
                out.line(f"broken += zero * (single[d] + single[{dim} + d])")
                out.line("allowed = atol + rtol * abs(single[d])")
                out.line("ratio = single[d] / allowed")
                out.line("state_size += ratio * ratio")
                out.line(f"ratio = single[{dim} + d] / allowed")
                out.line("slope_size += ratio * ratio")
            out.line(f"state_size = math.sqrt(state_size / {dim}.0)")
            out.line(f"slope_size = math.sqrt(slope_size / {dim}.0)")
            out.line("tiny = (state_size < 1e-5) | (slope_size < 1e-5)")
            out.line("trial = 1e-6 if tiny else 0.01 * state_size / slope_size")
            out.line("span = t_end - moment")
            out.line("trial = span if span < trial else trial")
            with out.block(f"for d in range({dim})"):
                out.line(f"single[d] = single[d] + trial * single[{dim} + d]")
            out.line("moment = moment + trial")
        with out.block("else"):
            out.line("bend = 0.0")
            with out.block(f"for d in range({dim})"):
                out.line(f"change = single[{dim} + d] - w[({dim} + d) * L + l]")
                out.line("ratio = change / (atol + rtol * abs(initial[d, own]))")
                out.line("bend += ratio * ratio")
            out.line(f"bend = math.sqrt(bend / {dim}.0) / trial")
            out.line("most = bend if bend > slope_size else slope_size")
            out.line("small = 1e-3 * trial if 1e-3 * trial > 1e-6 else 1e-6")
            out.line("step = small if most <= 1e-15 else (0.01 / most) ** (1.0 / power)")
            out.line("steps[l] = step if step < 100.0 * trial else 100.0 * trial")
