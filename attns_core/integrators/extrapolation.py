r"""The linearly implicit Euler method, extrapolated: stiff problems to near round-off.

One basic step of length ``h/n`` solves ``(I - h/n J)(u_{i+1} - u_i) = h/n f(t_{i+1}, u_i)`` with the
Jacobian at the beginning of the big step; ``n = 1 .. 12`` of them are extrapolated to ``n = infinity``
(Aitken-Neville on the expansion in ``h/n``), as in the code SEULEX (Hairer, Wanner, Solving Ordinary
Differential Equations II, IV.9). The columns' difference is the error estimate. One compiled
trajectory at a time.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from attns_core.integrators.compiled import compiled_jacobian, compiled_rhs
from attns_core.problem import Problem
from attns_core.types import Array

MAX_STEPS = 500_000
COLUMNS = 12


def integrate(problem: Problem, rtol: float) -> Array:
    """States at the saved times; each component's local error is kept below ``rtol`` of its scale."""
    out = np.full((problem.n, problem.t_save.size, problem.u0.shape[0]), np.nan)
    _loop()(
        compiled_rhs(problem.equation),
        compiled_jacobian(problem.equation),
        problem.equation.p.numeric(),
        np.array(problem.t_save),
        np.array(problem.u0.T, order="C"),
        COLUMNS,
        max(rtol, 1e-13),
        MAX_STEPS,
        out,
    )
    return np.ascontiguousarray(out.transpose(1, 2, 0))


@lru_cache(maxsize=1)
def _loop() -> Any:
    import numba
    from numba import types as nt

    vector, matrix, cube = nt.float64[::1], nt.float64[:, ::1], nt.float64[:, :, ::1]
    f = nt.FunctionType(nt.void(nt.float64, vector, vector, vector))
    signature = nt.void(f, f, vector, vector, matrix, nt.int64, nt.float64, nt.int64, cube)
    return numba.njit(signature, cache=True, error_model="numpy")(_integrate)


def _integrate(
    f: Any, jacobian: Any, p: Any, t_save: Any, u0: Any, columns: int, rtol: float, max_steps: int, out: Any
) -> None:
    n, dim = u0.shape
    table = np.zeros((columns, dim))
    u, du, scale = np.zeros(dim), np.zeros(dim), np.zeros(dim)
    flat, identity = np.zeros(dim * dim), np.eye(dim)
    for lane in range(n):
        u[:] = u0[lane]
        out[lane, 0] = u
        t = t_save[0]
        scale[:] = np.abs(u)
        dt = 1e-6 * (t_save[-1] - t)
        attempts = 0
        alive = True
        for target in range(1, t_save.size):
            while alive and t < t_save[target]:
                attempts += 1
                left = t_save[target] - t
                lands = 1.01 * dt >= left
                h = left if lands else dt
                if attempts > max_steps or not (h > 1e-15 * max(abs(t), 1e-300)) or not np.all(np.isfinite(u)):
                    alive = False
                    break
                jacobian(t, u, p, flat)
                matrix = flat.reshape(dim, dim)
                if not np.all(np.isfinite(matrix)):
                    alive = False
                    break
                error, best, used = np.inf, np.inf, 0
                for m in range(columns):
                    small = h / (m + 1)
                    inverse = np.linalg.inv(identity - small * matrix)
                    inner = u.copy()
                    for i in range(m + 1):
                        f(t + (i + 1) * small, inner, p, du)
                        inner = inner + inverse @ (small * du)
                    # Row m of the tableau, in place: table[j] holds column j of the row above.
                    row = inner
                    above = np.zeros(dim)
                    for j in range(m + 1):
                        above[:] = table[j]
                        table[j] = row
                        if j < m:
                            row = row + (row - above) / ((m + 1) / (m - j) - 1.0)
                    if m < 2:
                        continue
                    largest = np.max(np.maximum(scale, np.abs(table[m])))
                    error = 0.0
                    for i in range(dim):
                        size = rtol * max(scale[i], abs(table[m, i]), 1e-10 * largest) + 1e-300
                        error = max(error, abs(table[m, i] - table[m - 1, i]) / size)
                    if not (error < 1e300):
                        break
                    used = m
                    if error <= 1 or (m > 4 and error > 100 * best):
                        break
                    best = min(best, error)
                if not (error < 1e300):
                    dt = 0.1 * h
                    continue
                if error > 1:
                    dt = h * max(0.1, min(0.7, 0.8 * error ** (-1 / (used + 1))))
                    continue
                u[:] = table[used]
                for i in range(dim):
                    scale[i] = max(scale[i], abs(u[i]))
                t = t_save[target] if lands else t + h
                # Early convergence invites a longer step, late convergence a shorter one.
                factor = 3.0 if used < columns - 4 else (1.3 if used < columns - 2 else 0.9)
                dt = max(dt, h * factor) if lands and h < dt else h * factor
            if not alive:
                break
            out[lane, target] = u
