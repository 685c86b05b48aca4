"""Stick-slip by a Runge-Kutta method and halving: slow, and independent of the solver it is held against."""

import math
from typing import Any

import numpy as np
from numba import njit

from attns_core import Problem
from attns_core.types import Array

STEP = 0.02
"""Length of full steps; with a method of order 8 their error is round-off."""


def integrate(problem: Problem, rtol: float) -> Array:
    """States at the saved times; steps that cross an event end on it, found by halving to round-off."""
    from attns_core.flow import dop853

    p, tableau = problem.equation.p, dop853().tableau
    numbers = np.array([p.damping, p.coupling, p.friction, p.belt, p.shake, p.omega])
    out = np.empty((problem.n, problem.t_save.size, 2 * p.masses))
    _integrate(
        np.ascontiguousarray(problem.u0.T), np.array(problem.t_save), numbers, tableau.a, tableau.b, tableau.c, out
    )
    return np.ascontiguousarray(out.transpose(1, 2, 0))


@njit(error_model="numpy", cache=True)
def _forces(t: float, y: Any, p: Any, out: Any) -> None:
    n = y.size // 2
    for i in range(n):
        out[i] = -y[i] - p[0] * y[n + i]
    for i in range(n - 1):
        tension = p[1] * (y[i + 1] - y[i])
        out[i] += tension
        out[i + 1] -= tension
    out[0] += p[4] * math.cos(p[5] * t)


@njit(error_model="numpy", cache=True)
def _step(t: float, y: Any, h: float, state: Any, p: Any, a: Any, b: Any, c: Any, k: Any, force: Any, new: Any) -> None:
    """``new`` is ``y`` after ``h``; ``state[i]`` is 0 for a mass that sticks, else the sign of its slip."""
    n = y.size // 2
    for s in range(b.size):
        new[:] = y
        for r in range(s):
            if a[s, r] != 0:
                new += h * a[s, r] * k[r]
        _forces(t + c[s] * h, new, p, force)
        for i in range(n):
            k[s, i] = new[n + i]
            k[s, n + i] = force[i] - p[2] * state[i] if state[i] != 0 else 0.0
    new[:] = y
    for s in range(b.size):
        new += h * b[s] * k[s]


@njit(error_model="numpy", cache=True)
def _broken(t: float, y: Any, state: Any, p: Any, force: Any) -> int:
    """The first mass whose pattern does not fit its state, or -1."""
    n = y.size // 2
    _forces(t, y, p, force)
    for i in range(n):
        if state[i] == 0 and abs(force[i]) > p[2]:
            return i
        if state[i] != 0 and state[i] * (y[n + i] - p[3]) < 0:
            return i
    return -1


@njit(error_model="numpy", cache=True)
def _integrate(u0: Any, t_save: Any, p: Any, a: Any, b: Any, c: Any, out: Any) -> None:
    total, n2 = u0.shape
    n = n2 // 2
    k, force, new, state = np.zeros((b.size, n2)), np.zeros(n), np.zeros(n2), np.zeros(n)
    for lane in range(total):
        y, t = u0[lane].copy(), t_save[0]
        _forces(t, y, p, force)
        for i in range(n):
            state[i] = np.sign(y[n + i] - p[3])
            if state[i] == 0 and abs(force[i]) > p[2]:
                state[i] = np.sign(force[i])
        out[lane, 0] = y
        for save in range(1, t_save.size):
            while t < t_save[save]:
                h = min(STEP, t_save[save] - t)
                lands = t + h >= t_save[save]
                _step(t, y, h, state, p, a, b, c, k, force, new)
                if _broken(t + h, new, state, p, force) < 0:
                    y[:] = new
                    t = t_save[save] if lands else t + h
                    continue
                low, high = 0.0, h
                while high - low > 1e-15 * h:
                    middle = 0.5 * (low + high)
                    _step(t, y, middle, state, p, a, b, c, k, force, new)
                    if _broken(t + middle, new, state, p, force) < 0:
                        low = middle
                    else:
                        high = middle
                _step(t, y, high, state, p, a, b, c, k, force, new)
                t += high
                y[:] = new
                i = _broken(t, y, state, p, force)
                if state[i] == 0:
                    state[i] = np.sign(force[i])
                else:
                    y[n + i] = p[3]
                    _forces(t, y, p, force)
                    state[i] = np.sign(force[i]) if abs(force[i]) > p[2] else 0.0
            out[lane, save] = y
