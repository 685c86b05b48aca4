"""One step of a method on one trajectory, as straight-line statements."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from attns_core.kernels.emit import Emitter, fma_sum
from attns_core.kernels.form import Form
from attns_core.kernels.graph import Graph
from attns_core.kernels.source import Statement


@final
@dataclass
class Step:
    """Statements that turn components ``u0, u1, ...`` into increments ``S0, S1, ...``.

    Attributes
    ----------
    prologue : list of str
        Once per solve: coefficients times ``dt``.
    time : list of str
        Once per step, from ``t``: what changes with time only.
    lane : list of str
        Once per step and trajectory.
    stages : dict
        Stage index -> names of its components, for stages that are computed.
    """

    emitter: Emitter
    dim: int
    prologue: list[str] = field(default_factory=list)
    time: list[str] = field(default_factory=list)
    lane: list[Statement] = field(default_factory=list)
    stages: dict[int, list[str]] = field(default_factory=dict)

    @property
    def u(self) -> list[str]:
        return [f"u{i}" for i in range(self.dim)]


@final
class _Coefficients:
    """Names of coefficients times ``dt`` in working precision."""

    def __init__(self) -> None:
        self._names: dict[float, str] = {}

    def __call__(self, value: float) -> str:
        return self._names.setdefault(float(value), f"h{len(self._names)}")

    def combination(self, row: Sequence[float], k: dict[int, list[str]], i: int) -> str:
        return fma_sum([(self(w), k[j][i]) for j, w in enumerate(row) if w != 0])

    def moved(self, start: str, row: Sequence[float], k: dict[int, list[str]], i: int) -> str:
        """``start`` plus the combination, which is summed first; a single term has one rounding."""
        (first, *others) = [(self(w), k[j][i]) for j, w in enumerate(row) if w != 0]
        return f"{start} + ({self.combination(row, k, i)})" if others else fma_sum([first], start)

    def prologue(self) -> list[str]:
        return [f"{name} = F({value!r} * dt)" for value, name in self._names.items()]


def runge_kutta_step(graph: Graph, a: Any, b: Any, c: Any, needed: Any, form: Form) -> Step:
    """An explicit Runge-Kutta step; stages that nothing needs are left out."""
    step = Step(Emitter(graph, form.function), len(graph.outputs))
    scaled, u, k = _Coefficients(), step.u, step.stages
    for s in range(len(b)):
        if not needed[s]:
            continue
        names = u
        if np.any(np.asarray(a[s]) != 0):
            names = [f"y{s}_{i}" for i in range(step.dim)]
            step.lane += [f"{names[i]} = {scaled.moved(u[i], a[s], k, i)}" for i in range(step.dim)]
        if graph.uses_time:
            step.time.append(f"t{s} = t + {float(c[s])!r} * dt")
            step.time += step.emitter.time_lines(graph.outputs, f"t{s}", f"s{s}")
        lines, k[s] = step.emitter.lane_lines(graph.outputs, names, f"s{s}")
        step.lane += lines
    step.lane += [f"S{i} = {scaled.combination(b, k, i)}" for i in range(step.dim)]
    step.prologue = scaled.prologue()
    return step


def splitting_step(
    graph: Graph, drift: Sequence[float], kick: Sequence[float], halves: tuple[Sequence[int], Sequence[int]], form: Form
) -> Step:
    """Kicks of the velocities and drifts of the positions in turn; ``halves`` are their indices."""
    step = Step(Emitter(graph, form.function), len(graph.outputs))
    scaled = _Coefficients()
    names, time, part = step.u, 0.0, 0

    def move(half: Sequence[int], coefficient: float) -> None:
        nonlocal names, part
        if coefficient == 0:
            return
        roots = [graph.outputs[i] for i in half]
        prefix = f"s{part}"
        if graph.uses_time:
            step.time.append(f"t{part} = t + {time!r} * dt")
            step.time += step.emitter.time_lines(roots, f"t{part}", prefix)
        lines, values = step.emitter.lane_lines(roots, names, prefix)
        step.lane += lines
        new = list(names)
        for i, value in zip(half, values, strict=True):
            new[i] = f"y{part}_{i}"
            step.lane.append(f"{new[i]} = fma({scaled(coefficient)}, {value}, {names[i]})")
        names = new
        part += 1

    positions, velocities = halves
    for i, b in enumerate(kick):
        move(velocities, float(b))
        if i < len(drift):
            move(positions, float(drift[i]))
            time += float(drift[i])
    step.lane += [f"S{i} = {names[i]} - u{i}" for i in range(step.dim)]
    step.prologue = scaled.prologue()
    return step


def zero_step(graph: Graph, form: Form) -> Step:
    """The increment 0."""
    step = Step(Emitter(graph, form.function), len(graph.outputs))
    step.lane = [f"S{i} = nothing" for i in range(step.dim)]
    step.prologue = ["nothing = F(0)"]
    return step
