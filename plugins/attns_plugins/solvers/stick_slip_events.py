"""Event-driven stick-slip: exact linear motion between events, events by bracketing."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core import Citation, Problem, Solution, black_box
from attns_core.backend import PreparedSolve
from attns_core.control import Adaptive, FixedStep, StepControl
from attns_core.types import Array

SCAN = 0.1
"""Scan step in periods of the forcing, where a tolerance is asked for."""

REACH = 3.5
"""Longest step times the fastest rate: with 20 terms the remainder of a series is then below 1e-8."""


@final
@dataclass(frozen=True)
class EventDriven:
    """Event-driven stick-slip: events to a tolerance on a scan step of ``scan`` periods, or to 1e-8 of it on ``dt``."""

    scan: float = SCAN

    def supports(self, problem: Problem, control: StepControl) -> str | None:
        equation = problem.equation
        if equation.name != "stick-slip-coulomb":
            return f"it solves stick-slip-coulomb alone, not {equation.name}"
        if equation.p.masses > 2:
            return f"it is written for one and two masses, not {equation.p.masses}"
        if isinstance(control, FixedStep) and control.dt * _fastest(equation.p) > REACH:
            return f"dt={control.dt:g} is too long for its series; at most {REACH / _fastest(equation.p):.3g}"
        return None

    def prepare(self, problem: Problem, control: StepControl) -> PreparedSolve:
        from attns_plugins.solvers.event_kernel import solve

        p = problem.equation.p
        numbers = np.array([p.damping, p.coupling, p.friction, p.belt, p.shake, p.omega])
        lengths, counts = _scan(problem, control, self.scan)
        tolerance = control.rtol if isinstance(control, Adaptive) else 1e-8
        terms = _terms(lengths.max(initial=0.0) * _fastest(p), tolerance)
        # Problems are read-only, which numba would compile for apart.
        u0, t_save = np.array(problem.u0), np.array(problem.t_save)
        tables = {h: affine_maps(p, h) for h in set(lengths.tolist())}

        def run() -> Solution:
            out = np.empty((t_save.size, *u0.shape))
            events = np.zeros(problem.n, dtype=np.int64)
            if len(tables) == 1 and lengths.size:
                h = float(lengths[0])
                solve(u0, out, counts, t_save, h, tolerance, terms, numbers, *tables[h], events)
            else:
                out[0] = u0
                for i, h in enumerate(lengths.tolist()):
                    # Which masses stick is read off the state.
                    piece, times = np.empty((2, *u0.shape)), t_save[i : i + 2]
                    start = u0 if i == 0 else np.array(out[i])
                    solve(start, piece, counts[i : i + 1], times, h, tolerance, terms, numbers, *tables[h], events)
                    out[i : i + 2] = piece
            n_steps = int(counts.sum())
            return Solution(t=problem.t_save, u=out, n_steps=n_steps, nfe=n_steps, extra={"events": int(events.sum())})

        # Compiles without stepping.
        first = next(iter(tables.values())) if tables else affine_maps(p, 1.0)
        nothing = np.empty((1, *u0.shape))
        solve(u0, nothing, counts[:0], t_save, 1.0, 1.0, 1, numbers, *first, np.zeros(problem.n, dtype=np.int64))
        return run


def _terms(reach: float, tolerance: float) -> int:
    """Terms after which a series with ``reach`` = step times rate is exact to a hundredth of ``tolerance``."""
    from attns_plugins.solvers.event_kernel import MOST_TERMS

    terms, size = 0, 1.0
    while size > 1e-2 * tolerance and terms < MOST_TERMS:
        terms += 1
        size *= reach / terms
    return terms


def _scan(problem: Problem, control: StepControl, scan: float) -> tuple[Array, Any]:
    """Length of the scan steps in every saving interval, and their numbers."""
    gaps = np.diff(problem.t_save)
    if isinstance(control, FixedStep):
        counts = np.asarray(problem.steps_per_save(control), dtype=np.int64)
        return np.full(gaps.size, control.dt), counts
    p = problem.equation.p
    longest = min(scan * 2 * np.pi / p.omega, 1 / _fastest(p))
    counts = np.maximum(1, np.ceil(gaps / longest - 1e-9)).astype(np.int64)
    # Intervals that differ by the rounding of times only share their maps.
    return np.array([float(f"{h:.13g}") for h in gaps / counts]), counts


def _fastest(p: Any) -> float:
    """A rate that nothing in the motion exceeds."""
    return max(np.sqrt(1 + 2 * p.coupling), p.omega, p.damping)


def affine_maps(p: Any, h: float) -> tuple[Array, Array]:
    """``maps`` and ``waves`` of :func:`attns_plugins.solvers.event_kernel.solve` for a scan step.

    From the matrix exponential of the motion with signs, the constant 1, cosine and sine as further
    components.
    """
    from scipy.linalg import expm

    n = p.masses
    maps, waves = np.zeros((2**n, 2 * n, 3 * n + 1)), np.zeros((2**n, 2 * n, 2))
    for pattern in range(2**n):
        A = np.zeros((3 * n + 3, 3 * n + 3))
        cosine, sine, one = 3 * n + 1, 3 * n + 2, 3 * n
        A[cosine, sine], A[sine, cosine] = -p.omega, p.omega
        for i in range(n):
            A[i, n + i] = 1.0
            if pattern >> i & 1:
                continue
            A[n + i, i] -= 1.0
            A[n + i, n + i] -= p.damping
            for j in (i - 1, i + 1):
                if 0 <= j < n:
                    A[n + i, i] -= p.coupling
                    A[n + i, j] += p.coupling
            A[n + i, 2 * n + i] = -p.friction
            if i == 0:
                A[n + i, cosine] = p.shake
        image = expm(h * A)[: 2 * n]
        maps[pattern], waves[pattern] = image[:, : one + 1], image[:, cosine:]
    return maps, waves


STICK_SLIP_EVENTS = black_box(
    name="stick-slip-events",
    title="Event-driven stick-slip",
    tags=("events", "lane-blocks"),
    citation=Citation(
        key="leine1998",
        authors="R. I. Leine, D. H. van Campen, A. de Kraker, L. van den Steen",
        title="Stick-slip vibrations induced by alternate friction models",
        where="Nonlinear Dynamics 16, 41-54",
        year=1998,
        doi="10.1023/A:1008289604683",
    ),
)(EventDriven())
