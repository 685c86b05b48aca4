"""Fixed steps: blocks of lanes, the step loop outside the lane loop, states saved at given times.

Two forms compute the same numbers:

* *fused*: the whole step of one trajectory is straight-line code in the lane loop, its values in
  registers; compiled per equation and method.
* *staged*: the right-hand side alone is straight-line code, stages are combined array by array with
  coefficients that travel in arrays; compiled once per equation for all Runge-Kutta methods.

Every block is full: the last one repeats its last trajectory, so that each trajectory goes through
the same instructions wherever it stands in the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.kernels.emit import Emitter
from attns_core.kernels.recorder import Graph
from attns_core.kernels.source import Source

ENTRY = "solve"


@final
@dataclass(frozen=True, kw_only=True)
class Form:
    """What generated code depends on besides the equation and the method.

    Parameters
    ----------
    dtype : {"float64", "float32"}
    lanes : int
        Trajectories per block; 1 keeps the state in scalars.
    fastmath : bool
        Let the compiler reassociate and ignore NaN; otherwise only multiply-add contraction.
    exact : bool
        Call the C library's elementary functions in place of the vectorised ones.
    """

    dtype: str = "float64"
    lanes: int = 32
    fastmath: bool = False
    exact: bool = False


@final
@dataclass(frozen=True)
class Generated:
    """Source of a kernel and the record's nodes whose values it expects in ``c``."""

    source: str
    parameters: tuple[int, ...]


def lane_function(form: Form) -> Any:
    """Names of elementary functions for values that differ between lanes."""
    return lambda name: f"math.{name}"


def begin(form: Form, arguments: str) -> Source:
    """Imports, options and the helper that keeps ``u + S`` a rounding of its own."""
    out = Source()
    flags = "True" if form.fastmath else '{"contract"}'
    out.lines(
        [
            '"""Generated kernel; see attns_core/kernels."""',
            "",
            "import math",
            "",
            "import numpy as np",
            "from numba import njit",
            "",
            f"F = np.{form.dtype}",
            f"L = {form.lanes}",
            "",
            "",
            '@njit(error_model="numpy", forceinline=True)',
            "def add(a, b):",
            "    return a + b",
            "",
            "",
            f'@njit(error_model="numpy", nogil=True, fastmath={flags})',
        ]
    )
    out.line(f"def {ENTRY}({arguments}):")
    return out


def rk_coefficients(a: Any, b: Any, c: Any, needed: Any) -> dict[str, Any]:
    """A tableau as flat arrays for the staged form: rows of terms, padded to fours with a zero slot.

    Row ``i`` makes the argument of stage ``i``, the last row the increment.
    """
    stages = len(b)
    starts, slots, weights = [0], [], []
    for row in [*a, b]:
        terms = [j for j in range(stages) if row[j] != 0]
        padding = -len(terms) % 4
        slots += terms + [stages] * padding
        weights += [row[j] for j in terms] + [0.0] * padding
        starts.append(len(slots))
    return {
        "starts": np.array(starts, dtype=np.int64),
        "slots": np.array(slots, dtype=np.int64),
        "weights": np.array(weights, dtype=np.float64),
        "times": np.array(c, dtype=np.float64),
        "needed": np.array(needed, dtype=np.bool_),
    }


def fused_runge_kutta(graph: Graph, a: Any, b: Any, c: Any, needed: Any, form: Form) -> Generated:
    """The fused form: ``solve(initial, out, t_save, counts, dt, c, first, last)``."""
    emitter = Emitter(graph, lane_function(form))
    dim = len(graph.outputs)
    coefficients: dict[float, str] = {}
    time: list[str] = []
    lane: list[str] = []
    u = [f"u{i}" for i in range(dim)]
    k: dict[int, list[str]] = {}

    def scaled(x: float) -> str:
        return coefficients.setdefault(float(x), f"h{len(coefficients)}")

    def combination(row: Sequence[float], i: int) -> str:
        return " + ".join(f"{scaled(w)} * {k[j][i]}" for j, w in enumerate(row) if w != 0)

    for s in range(len(b)):
        if not needed[s]:
            continue
        names = u
        if np.any(a[s] != 0):
            names = [f"y{s}_{i}" for i in range(dim)]
            lane += [f"{names[i]} = {u[i]} + ({combination(a[s], i)})" for i in range(dim)]
        if graph.uses_time:
            time += [f"t{s} = t + {float(c[s])!r} * dt", *emitter.time_lines(graph.outputs, f"t{s}", f"s{s}")]
        lines, k[s] = emitter.lane_lines(graph.outputs, names, f"s{s}")
        lane += lines
    lane += [f"S{i} = {combination(b, i)}" for i in range(dim)]
    lane += [f"n{i} = add({u[i]}, S{i})" for i in range(dim)]
    prologue = [f"{name} = F({value!r} * dt)" for value, name in coefficients.items()]
    return _fused_module(form, dim, emitter, prologue, time, lane)


def _fused_module(
    form: Form, dim: int, emitter: Emitter, prologue: list[str], time: list[str], lane: list[str]
) -> Generated:
    out = begin(form, "initial, out, t_save, counts, dt, c, first, last")
    with _indent(out):
        out.line("n = initial.shape[1]")
        out.lines(emitter.constants.prologue())
        out.lines(prologue)
        if form.lanes > 1:
            out.line(f"w = np.empty({dim} * L, dtype=F)")
        with out.block("for block in range(first, last)"):
            _load(out, dim, form)
            with out.block("for i in range(counts.size)"):
                with out.block("for j in range(counts[i])"):
                    if time:
                        out.line("t = t_save[i] + j * dt")
                        out.lines(time)
                    if form.lanes == 1:
                        out.lines(lane)
                        out.lines(f"u{i} = n{i}" for i in range(dim))
                    else:
                        with out.block("for l in range(L)"):
                            out.lines(f"u{i} = w[{i} * L + l]" for i in range(dim))
                            out.lines(lane)
                            out.lines(f"w[{i} * L + l] = n{i}" for i in range(dim))
                _store(out, dim, form, "i + 1")
    return Generated(out.text(), tuple(emitter.constants.parameters))


def staged_runge_kutta(graph: Graph, form: Form) -> Generated:
    """The staged form, for any explicit tableau.

    ``solve(initial, out, t_save, counts, dt, c, first, last, starts, slots, weights, times, needed)``
    """
    emitter = Emitter(graph, lane_function(form))
    dim = len(graph.outputs)
    time = emitter.time_lines(graph.outputs, "ts", "s")
    used = sorted({graph.ops[i][1][0] for i in graph.needed(graph.outputs) if graph.ops[i][0] == "u"})
    lane, results = emitter.lane_lines(graph.outputs, [f"y{i}" for i in range(dim)], "s")
    out = begin(form, "initial, out, t_save, counts, dt, c, first, last, starts, slots, weights, times, needed")
    with _indent(out):
        out.line("n = initial.shape[1]")
        out.lines(emitter.constants.prologue())
        out.line("h = F(dt)")
        out.line("stages = times.size")
        out.line(f"w = np.empty({dim} * L, dtype=F)")
        # Argument and result of the right-hand side share one array: literal offsets into it are
        # what lets the lane loop vectorise without run-time overlap checks.
        out.line(f"y = np.empty({2 * dim} * L, dtype=F)")
        out.line(f"k = np.zeros((stages + 1) * {dim} * L, dtype=F)")
        with out.block("for block in range(first, last)"):
            _load(out, dim, form, scalars=False)
            with out.block("for i in range(counts.size)"):
                with out.block("for j in range(counts[i])"):
                    with out.block("for s in range(stages + 1)"):
                        with out.block("if s < stages and not needed[s]"):
                            out.line("continue")
                        with out.block("if starts[s] == starts[s + 1]"), out.block(f"for x in range({dim} * L)"):
                            out.line("y[x] = w[x]")
                        with out.block("for m in range(starts[s], starts[s + 1], 4)"):
                            for q in range(4):
                                out.line(f"o{q} = slots[m + {q}] * {dim} * L")
                                out.line(f"a{q} = F(weights[m + {q}])")
                            terms = " + ".join(f"a{q} * k[o{q} + x]" for q in range(4))
                            with out.block("if m == starts[s]"), out.block(f"for x in range({dim} * L)"):
                                out.line(f"y[x] = {terms}")
                            with out.block("else"), out.block(f"for x in range({dim} * L)"):
                                out.line(f"y[x] = y[x] + {terms}")
                        with out.block("if s == stages"):
                            with out.block(f"for x in range({dim} * L)"):
                                out.line("w[x] = add(w[x], h * y[x])")
                            out.line("break")
                        with out.block("if starts[s] < starts[s + 1]"), out.block(f"for x in range({dim} * L)"):
                            out.line("y[x] = w[x] + h * y[x]")
                        if time:
                            out.line("ts = t_save[i] + j * dt + times[s] * dt")
                            out.lines(time)
                        with out.block("for l in range(L)"):
                            out.lines(f"y{i} = y[{i} * L + l]" for i in used)
                            out.lines(lane)
                            out.lines(f"y[{dim + i} * L + l] = {results[i]}" for i in range(dim))
                        out.line(f"o = s * {dim} * L")
                        with out.block(f"for x in range({dim} * L)"):
                            out.line(f"k[o + x] = y[{dim} * L + x]")
                _store(out, dim, form, "i + 1", scalars=False)
    return Generated(out.text(), tuple(emitter.constants.parameters))


def _load(out: Source, dim: int, form: Form, *, scalars: bool = True) -> None:
    if form.lanes == 1 and scalars:
        out.lines(f"u{i} = initial[{i}, block]" for i in range(dim))
        out.lines(f"out[0, {i}, block] = u{i}" for i in range(dim))
        return
    out.line("begin = block * L")
    out.line("width = min(L, n - begin)")
    with out.block(f"for i in range({dim})"):
        with out.block("for l in range(L)"):
            out.line("w[i * L + l] = initial[i, begin + min(l, width - 1)]")
    _store(out, dim, form, "0", scalars=scalars)


def _store(out: Source, dim: int, form: Form, index: str, *, scalars: bool = True) -> None:
    if form.lanes == 1 and scalars:
        out.lines(f"out[{index}, {i}, block] = u{i}" for i in range(dim))
        return
    with out.block(f"for d in range({dim})"), out.block("for l in range(width)"):
        out.line(f"out[{index}, d, begin + l] = w[d * L + l]")


class _indent:
    """Everything inside belongs to the function that :func:`begin` opened."""

    def __init__(self, out: Source) -> None:
        self.out = out

    def __enter__(self) -> None:
        self.out._depth += 1

    def __exit__(self, *_: object) -> None:
        self.out._depth -= 1
