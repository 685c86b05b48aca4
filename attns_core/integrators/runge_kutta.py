"""Dormand and Prince's method of order 8 with adaptive steps, one compiled trajectory at a time.

Written for accuracy: the state is summed with compensation (Kahan), the error is measured in the
largest component, relative to the largest value that the component has had so far.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from attns_core.integrators.compiled import compiled_rhs
from attns_core.problem import Problem
from attns_core.types import Array

MAX_STEPS = 5_000_000


def integrate(problem: Problem, rtol: float) -> Array:
    """States at the saved times; each component's local error is kept below ``rtol / 30`` of its scale.

    Local errors add up over hundreds of steps: the thirtieth keeps the global one near ``rtol``.
    """
    from scipy.integrate._ivp import dop853_coefficients as dop  # the same numbers from another source

    s = dop.N_STAGES
    out = np.full((problem.n, problem.t_save.size, problem.u0.shape[0]), np.nan)
    u0 = np.array(problem.u0.T, order="C")
    _loop()(
        compiled_rhs(problem.equation),
        problem.equation.p.numeric(),
        np.array(problem.t_save),
        u0,
        np.ascontiguousarray(dop.A[:s, :s]),
        np.ascontiguousarray(dop.B),
        np.ascontiguousarray(dop.C[:s]),
        np.ascontiguousarray(dop.E5[:s]),
        np.ascontiguousarray(dop.E3[:s]),
        max(rtol / 30, 1e-15),
        MAX_STEPS,
        out,
    )
    return np.ascontiguousarray(out.transpose(1, 2, 0))


@lru_cache(maxsize=1)
def _loop() -> Any:
    import numba
    from numba import types as nt

    vector, matrix, cube = nt.float64[::1], nt.float64[:, ::1], nt.float64[:, :, ::1]
    # A function pointer of fixed type: one compilation of the loop serves every equation.
    f = nt.FunctionType(nt.void(nt.float64, vector, vector, vector))
    signature = nt.void(f, vector, vector, matrix, matrix, vector, vector, vector, vector, nt.float64, nt.int64, cube)
    return numba.njit(signature, cache=True, error_model="numpy")(_integrate)


def _integrate(
    f: Any,
    p: Any,
    t_save: Any,
    u0: Any,
    a: Any,
    b: Any,
    c: Any,
    e5: Any,
    e3: Any,
    rtol: float,
    max_steps: int,
    out: Any,
) -> None:
    n, dim = u0.shape
    stages = b.size
    k = np.zeros((stages, dim))
    inner, u, lost, scale, step = np.zeros(dim), np.zeros(dim), np.zeros(dim), np.zeros(dim), np.zeros(dim)
    for lane in range(n):
        u[:] = u0[lane]
        lost[:] = 0.0
        out[lane, 0] = u
        t = t_save[0]
        for i in range(dim):
            scale[i] = abs(u[i])
        f(t, u, p, k[0])
        dt = 1e-4 * (t_save[-1] - t)
        for i in range(dim):
            if k[0, i] != 0 and u[i] != 0:
                dt = min(dt, 0.01 * abs(u[i] / k[0, i]) + 1e-8)
        attempts = 0
        alive = True
        for target in range(1, t_save.size):
            while alive and t < t_save[target]:
                attempts += 1
                left = t_save[target] - t
                lands = 1.01 * dt >= left
                h = left if lands else dt
                if attempts > max_steps or not (h > 1e-15 * max(abs(t), 1e-300)):
                    alive = False
                    break
                for s in range(1, stages):
                    for i in range(dim):
                        total = 0.0
                        for j in range(s):
                            total += a[s, j] * k[j, i]
                        inner[i] = u[i] + h * total
                    f(t + c[s] * h, inner, p, k[s])
                floor = 0.0
                for i in range(dim):
                    total = 0.0
                    for j in range(stages):
                        total += b[j] * k[j, i]
                    step[i] = h * total
                    floor = max(floor, scale[i], abs(u[i] + step[i]))
                five, three = 0.0, 0.0
                finite = True
                for i in range(dim):
                    x, y = 0.0, 0.0
                    for j in range(stages):
                        x += e5[j] * k[j, i]
                        y += e3[j] * k[j, i]
                    size = rtol * max(scale[i], abs(u[i] + step[i]), 1e-10 * floor) + 1e-300
                    five = max(five, abs(h * x) / size)
                    three = max(three, abs(h * y) / size)
                    finite = finite and np.isfinite(u[i] + step[i]) and np.isfinite(x)
                both = np.sqrt(five * five + 0.01 * three * three)
                error = 0.0 if both == 0 else five * (five / both)
                if not finite:
                    dt = 0.2 * h
                    continue
                factor = 6.0 if error == 0 else min(6.0, max(0.2, 0.9 * error ** (-1 / 8)))
                if error > 1:
                    dt = h * min(factor, 1.0)
                    continue
                for i in range(dim):
                    # Kahan: what the addition loses is added to the next increment.
                    y = step[i] + lost[i]
                    new = u[i] + y
                    lost[i] = y - (new - u[i])
                    u[i] = new
                    scale[i] = max(scale[i], abs(new))
                t = t_save[target] if lands else t + h
                dt = max(dt, h * factor) if lands and h < dt else h * factor
                f(t, u, p, k[0])
            if not alive:
                break
            out[lane, target] = u
