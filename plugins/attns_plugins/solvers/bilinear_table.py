"""The map over one step as a table over a grid in two dimensions: the trivial rival of networks there.

It needs an equation with two components whose map over the step is the same at every step: an autonomous
one, or a step of whole periods of the forcing. States beyond the grid are moved to its edge.
"""

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from numba import njit

from attns_core import Citation, OneStepSolver, Problem, Solution, black_box
from attns_core.backend import PreparedSolve
from attns_core.control import Adaptive, FixedStep, StepControl
from attns_core.errors import AttnsError
from attns_core.types import Array

_MARGIN = 0.05
"""The grid covers the training states and this share of their range on either side."""


@final
@dataclass(frozen=True, eq=False)
class BilinearTable:
    """Images of ``nodes`` by ``nodes`` states one step later, with bilinear interpolation between them.

    Parameters
    ----------
    nodes : int
    low, cell : array, shape (2,), optional
        The grid's corner and spacing; None before training.
    images : array, shape (nodes, nodes, 2), optional
    """

    nodes: int
    low: Array | None = None
    cell: Array | None = None
    images: Array | None = None

    def supports(self, problem: Problem, control: StepControl) -> str | None:
        # Formulas are imported where they are needed: every start would wait for them.
        from attns_core.tracing import trace

        equation = problem.equation
        if equation.dim != 2:
            return f"tables are for two dimensions, {equation.name} has {equation.dim}"
        if isinstance(control, FixedStep) and not trace(equation).is_autonomous:
            period = equation.period(equation.p) if equation.period is not None else np.inf
            periods = control.dt / period
            if round(periods) < 1 or abs(periods - round(periods)) > 1e-9 * periods:
                return f"the map over dt={control.dt:g} depends on time; give whole periods of {period:g}"
        return None

    def train(self, problem: Problem, control: StepControl, *, seed: int) -> "BilinearTable":
        """Tabulated over the range of the problem's trajectories at multiples of the step."""
        assert isinstance(control, FixedStep)
        steps = max(1, round((problem.t_end - problem.t0) / control.dt))
        times = problem.t0 + control.dt * np.arange(steps + 1)
        states = _exact(replace(problem, t_save=times))
        low, high = np.nanmin(states, axis=(0, 2)), np.nanmax(states, axis=(0, 2))
        reach = (1 + 2 * _MARGIN) * np.where(high > low, high - low, 1.0)
        low = 0.5 * (low + high) - 0.5 * reach
        cell = reach / (self.nodes - 1)
        axes = [low[i] + cell[i] * np.arange(self.nodes) for i in range(2)]
        grid = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")])
        after = _exact(replace(problem, u0=grid, t_save=times[:2]))[-1]
        images = np.ascontiguousarray(after.T).reshape(self.nodes, self.nodes, 2)
        return replace(self, low=low, cell=cell, images=images)

    def prepare(self, problem: Problem, control: StepControl) -> PreparedSolve:
        if self.low is None or self.cell is None or self.images is None:
            raise AttnsError(f"the map of {problem.equation.name} was not tabulated: train the solver first")
        low, cell, images = self.low, self.cell, self.images
        assert isinstance(control, FixedStep)
        counts = np.asarray(problem.steps_per_save(control), dtype=np.int64)
        # Problems are read-only, which numba would compile for apart.
        u0 = np.array(problem.u0)

        def run() -> Solution:
            out = np.empty((counts.size + 1, *u0.shape))
            _follow(u0, out, counts, low, cell, images)
            return Solution(t=problem.t_save, u=out, n_steps=int(counts.sum()), nfe=0)

        _follow(u0[:, :0].copy(), np.empty((1, 2, 0)), counts[:0], low, cell, images)
        return run


def _exact(problem: Problem) -> Array:
    """States (n_save, dim, n) by what is most trusted for the equation."""
    from attns_core.backends.numba_cpu import NumbaBackend
    from attns_plugins.methods.dop853 import DOP853
    from attns_plugins.methods.rodas5p import RODAS5P

    equation = problem.equation
    if equation.integrators:
        return equation.integrators[0][1](problem, 1e-8)
    method = RODAS5P if "stiff" in equation.tags else DOP853
    return OneStepSolver(method=method, backend=NumbaBackend()).prepare(problem, Adaptive(rtol=1e-9, atol=1e-11))().u


@njit(error_model="numpy", nogil=True, cache=True)
def _follow(u0: Any, out: Any, counts: Any, low: Any, cell: Any, images: Any) -> None:
    last = images.shape[0] - 1
    for lane in range(u0.shape[1]):
        # A state that is not finite has no cell; the harness keeps such lanes out.
        x, y = u0[0, lane], u0[1, lane]
        out[0, 0, lane], out[0, 1, lane] = x, y
        for save in range(counts.size):
            for _ in range(counts[save]):
                a = min(max((x - low[0]) / cell[0], 0.0), float(last))
                b = min(max((y - low[1]) / cell[1], 0.0), float(last))
                i, j = min(int(a), last - 1), min(int(b), last - 1)
                a, b = a - i, b - j
                x = (1 - a) * ((1 - b) * images[i, j, 0] + b * images[i, j + 1, 0])
                x += a * ((1 - b) * images[i + 1, j, 0] + b * images[i + 1, j + 1, 0])
                y = (1 - a) * ((1 - b) * images[i, j, 1] + b * images[i, j + 1, 1])
                y += a * ((1 - b) * images[i + 1, j, 1] + b * images[i + 1, j + 1, 1])
            out[save + 1, 0, lane], out[save + 1, 1, lane] = x, y


def _solver(nodes: int) -> Any:
    make = black_box(
        name=f"bilinear-table-{nodes}",
        control="fixed",
        title=f"Table of the map over a step on {nodes} by {nodes} states",
        tags=("learned", "baseline"),
        citation=Citation(
            key="hsu1987",
            authors="C. S. Hsu",
            title="Cell-to-Cell Mapping: A Method of Global Analysis for Nonlinear Systems",
            where="Springer",
            year=1987,
            doi="10.1007/978-1-4757-3892-6",
        ),
    )
    return make(BilinearTable(nodes))


BILINEAR_TABLES = tuple(_solver(nodes) for nodes in (32, 64, 128))
