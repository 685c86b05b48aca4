"""Rosenbrock steps as straight-line code: Jacobian, elimination and stages of one trajectory.

The matrix ``1/(gamma dt) - J`` is factorised without pivoting, in the order of the components, and with
its sparsity: entries that are zero, and stay so, do not occur in the code. Its diagonal is dominated by
``1/(gamma dt)`` or, for stiff components, by their damping, so that pivots do not vanish in practice;
a vanishing one gives NaN or infinity, never a silent error.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from attns_core.kernels.derivatives import Derivatives
from attns_core.kernels.emit import Emitter, fma_sum
from attns_core.kernels.error_control import decide, scale, sums
from attns_core.kernels.form import Form
from attns_core.kernels.graph import Graph
from attns_core.kernels.lanes import lane_loop
from attns_core.kernels.source import Source, Statement
from attns_core.kernels.step import Step

LARGEST = 12
"""Components up to which the elimination is written out."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Scheme:
    """Coefficients of a Rosenbrock method in the notation of Hairer and Wanner."""

    gamma: float
    a: Any
    c: Any
    m: Any
    e: Any
    alpha: Any
    slope: Any


def rosenbrock_step(graph: Graph, derivatives: Derivatives, scheme: Scheme, form: Form) -> Step:
    """A fixed step; its stages are ``k_i = U_i / dt``."""
    emitter = Emitter(graph, form.function)
    step = Step(emitter, len(graph.outputs))
    scaled: dict[tuple[float, str], str] = {}

    def per_dt(value: float) -> str:
        return scaled.setdefault((value, "/"), f"r{len(scaled)}")

    def times_dt(value: float) -> str:
        return scaled.setdefault((value, "*"), f"r{len(scaled)}")

    def begin_stage(s: int, roots: list[int]) -> str | None:
        if graph.uses_time:
            step.time.append(f"t{s} = t + {float(scheme.alpha[s])!r} * dt")
            step.time.extend(emitter.time_lines(roots, f"t{s}", f"s{s}"))
        return None

    stages = _Stages(emitter, derivatives, scheme, per_dt, times_dt, begin_stage)
    step.lane += stages.lines
    step.lane += [f"S{i} = {stages.combination(scheme.m, i)}" for i in range(step.dim)]
    inverse = per_dt(1.0)
    for s, names in enumerate(stages.U):
        step.stages[s] = [f"k{s}_{i}" for i in range(step.dim)]
        step.lane += [f"k{s}_{i} = {inverse} * {names[i]}" for i in range(step.dim)]
    step.prologue = [f"{name} = F({value!r} {sign} dt)" for (value, sign), name in scaled.items()]
    return step


class RosenbrockAttempt:
    """An adaptive attempt for :mod:`attns_core.kernels.adaptive`."""

    def __init__(self, emitter: Emitter, derivatives: Derivatives, scheme: Scheme) -> None:
        graph = emitter.graph
        self.dim = dim = len(graph.outputs)
        literal = emitter.constants.literal
        times = ["inverse = F(1.0) / g"]

        def begin_stage(s: int, roots: list[int]) -> str | None:
            if not graph.uses_time:
                return None
            times.append(f"t{s} = F(t + {float(scheme.alpha[s])!r} * h)")
            return f"t{s}"

        stages = _Stages(
            emitter,
            derivatives,
            scheme,
            lambda value: f"({literal(value)} * inverse)",
            lambda value: f"({literal(value)} * g)",
            begin_stage,
        )
        lines: list[Statement] = [*times, *stages.lines]
        lines += [f"n{i} = u{i} + ({stages.combination(scheme.m, i, literal)})" for i in range(dim)]
        lines.append("e5 = zero")
        for i in range(dim):
            lines += scale(f"a{i}", f"u{i}", f"n{i}")
            lines.append(f"d{i}_ = ({stages.combination(scheme.e, i, literal)}) / a{i}")
            lines.append(f"e5 = e5 + d{i}_ * d{i}_")
        self.lines, self.first = lines, stages.first

    def prologue(self, out: Source) -> None:
        """Whole attempts need no arrays of their own."""

    def begin(self, out: Source) -> None:
        """Whole attempts begin with nothing."""

    def write(self, out: Source) -> None:
        dim = self.dim
        with lane_loop(out):
            out.line("t = ts[l]")
            out.line("h = hs[l]")
            out.line("g = F(h)")
            out.lines(f"u{i} = w[{i} * L + l]" for i in range(dim))
            out.lines(self.lines)
            out.lines(sums(dim, self.first))
        decide(out, dim, has_low=False, accepted_rows=dim)


class _Stages:
    """Statements that leave stage ``s`` of component ``i`` in ``U[s][i]``; the state is ``u0, u1, ...``."""

    def __init__(
        self,
        emitter: Emitter,
        derivatives: Derivatives,
        scheme: Scheme,
        per_dt: Callable[[float], str],
        times_dt: Callable[[float], str],
        begin_stage: Callable[[int, list[int]], str | None],
    ) -> None:
        graph = emitter.graph
        self.dim = dim = len(graph.outputs)
        self.lines: list[Statement] = []
        self.U: list[list[str]] = []
        self.literal = emitter.constants.literal
        entries, slopes = list(derivatives.jacobian.items()), list(derivatives.time.items())
        roots = [*graph.outputs, *(node for _, node in entries), *(node for _, node in slopes)]
        time = begin_stage(0, roots)
        lines, values = emitter.lane_lines(roots, [f"u{i}" for i in range(dim)], "s0", time=time)
        self.lines += lines
        self.first = values[:dim]
        jacobian = {key: values[dim + n] for n, (key, _) in enumerate(entries)}
        f_t = {i: values[dim + len(entries) + n] for n, (i, _) in enumerate(slopes)}
        solve = self._factorise(jacobian, per_dt(1.0 / scheme.gamma))
        for s in range(len(scheme.m)):
            right = self.first
            if any(scheme.a[s]):
                names = [f"y{s}_{i}" for i in range(dim)]
                self.lines += [f"{names[i]} = u{i} + ({self.combination(scheme.a[s], i)})" for i in range(dim)]
                time = begin_stage(s, list(graph.outputs))
                lines, right = emitter.lane_lines(graph.outputs, names, f"s{s}", time=time)
                self.lines += lines
            terms: list[list[tuple[str, str]]] = [[] for _ in range(dim)]
            for j in range(s):
                if scheme.c[s, j] != 0:
                    factor = per_dt(float(scheme.c[s, j]))
                    for i in range(dim):
                        terms[i].append((factor, self.U[j][i]))
            for i, slope in f_t.items():
                if scheme.slope[s] != 0:
                    terms[i].append((times_dt(float(scheme.slope[s])), slope))
            self.lines += [f"b{s}_{i} = {fma_sum(terms[i], right[i])}" for i in range(dim)]
            self.U.append(solve(s))

    def combination(self, row: Any, i: int, literal: Callable[[float], str] | None = None) -> str:
        """``sum_j row_j U_j`` for one component; factors of one are left out."""
        literal = literal or self.literal
        whole = [self.U[j][i] for j, w in enumerate(row) if w == 1]
        terms = [(literal(float(w)), self.U[j][i]) for j, w in enumerate(row) if w not in (0, 1)]
        return fma_sum(terms, " + ".join(whole))

    def _factorise(self, jacobian: dict[tuple[int, int], str], diagonal: str) -> Callable[[int], list[str]]:
        """Gaussian elimination of ``diagonal - J``; returns what writes a solve with the factors."""
        dim, lines = self.dim, self.lines
        present = set(jacobian) | {(i, i) for i in range(dim)}
        for i, j in sorted(present):
            entry = jacobian.get((i, j))
            if i != j:
                lines.append(f"w{i}_{j} = -{entry}")
            else:
                lines.append(f"w{i}_{i} = {diagonal}" + (f" - {entry}" if entry else ""))
        for k in range(dim):
            lines.append(f"v{k} = F(1.0) / w{k}_{k}")
            for i in range(k + 1, dim):
                if (i, k) not in present:
                    continue
                lines.append(f"w{i}_{k} = w{i}_{k} * v{k}")
                for j in range(k + 1, dim):
                    if (k, j) in present:
                        before = f"w{i}_{j}" if (i, j) in present else ""
                        lines.append(f"w{i}_{j} = {fma_sum([(f'-w{i}_{k}', f'w{k}_{j}')], before)}")
                        present.add((i, j))

        def solve(s: int) -> list[str]:
            for i in range(dim):
                lower = [(f"-w{i}_{j}", f"b{s}_{j}") for j in range(i) if (i, j) in present]
                if lower:
                    lines.append(f"b{s}_{i} = {fma_sum(lower, f'b{s}_{i}')}")
            for i in reversed(range(dim)):
                upper = [(f"-w{i}_{j}", f"U{s}_{j}") for j in range(i + 1, dim) if (i, j) in present]
                lines.append(f"U{s}_{i} = ({fma_sum(upper, f'b{s}_{i}')}) * v{i}")
            return [f"U{s}_{i}" for i in range(dim)]

        return solve
