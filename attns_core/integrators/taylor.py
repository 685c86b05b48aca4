"""Taylor series of order about 20 with adaptive steps, by heyoka, on the equation's own formula."""

import math
from typing import Any

import numpy as np

from attns_core.maths import heyoka_maths
from attns_core.problem import Problem
from attns_core.types import Array


class NotAnalyticError(Exception):
    """The right-hand side has no Taylor series: it branches, or uses ``abs`` or ``sign``."""


def integrate(problem: Problem, rtol: float) -> Array:
    """States at the saved times; the local tolerance is ``rtol / 1000``, not below round-off.

    Raises
    ------
    NotAnalyticError
        If heyoka cannot express the right-hand side.
    """
    import heyoka

    system = _system(problem)
    lanes = heyoka.recommended_simd_size()
    # Compact mode compiles in a tenth of the time and runs at nearly the same speed.
    stepper: Any = heyoka.taylor_adaptive_batch(
        system,
        np.ones((len(system), lanes)),
        tol=max(rtol / 1000, float(np.finfo(np.float64).eps)),
        high_accuracy=True,
        compact_mode=True,
    )
    grid = np.repeat(problem.t_save[:, None], lanes, axis=1)
    out = np.full((problem.t_save.size, *problem.u0.shape), np.nan)
    for start in range(0, problem.n, lanes):
        batch = np.minimum(np.arange(start, start + lanes), problem.n - 1)
        states, complete = _propagate(stepper, grid, problem.u0[:, batch])
        if complete:
            out[:, :, batch] = states
            continue
        # One lost trajectory stops its whole batch: each goes alone.
        for lane in np.unique(batch):
            states, _ = _propagate(stepper, grid, problem.u0[:, np.full(lanes, lane)])
            out[:, :, lane] = states[:, :, 0]
    return out


def _system(problem: Problem) -> list[tuple[Any, Any]]:
    import heyoka

    equation = problem.equation
    u = heyoka.make_vars(*(f"u{i}" for i in range(equation.dim)))
    u = u if isinstance(u, list) else [u]
    try:
        derivatives = equation.rhs(heyoka.time, u, equation.p, heyoka_maths())
        lifted = [d if isinstance(d, heyoka.expression) else heyoka.expression(float(d)) for d in derivatives]
    except (TypeError, NotImplementedError, ValueError) as error:
        raise NotAnalyticError(str(error)) from error
    return list(zip(u, lifted, strict=True))


def _propagate(stepper: Any, grid: Array, u0: Array) -> tuple[Array, bool]:
    import heyoka

    if not np.isfinite(u0).all():
        return np.concatenate([u0[None], np.full((len(grid) - 1, *u0.shape), np.nan)]), False
    stepper.set_time(float(grid[0, 0]))
    stepper.state[:] = u0
    _, states = stepper.propagate_grid(np.ascontiguousarray(grid))
    complete = all(result[0] == heyoka.taylor_outcome.time_limit for result in stepper.propagate_res)
    states[0] = u0
    return states, complete and bool(np.isfinite(states).all()) and math.isfinite(float(states.sum()))
