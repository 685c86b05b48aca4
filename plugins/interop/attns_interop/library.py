"""What the adapters share: whether a library is there, and what was not reached."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from attns_core import Problem


def missing(module: str, extra: str) -> str | None:
    """None if ``module`` can be imported, else the reason that a result row shows."""
    if find_spec(module) is not None:
        return None
    return f"not installed: {module} (pip install 'attns-interop[{extra}]')"


def padded(problem: Problem, rows: Any) -> Any:
    """States ``(k, dim)`` of the first ``k`` saving times as ``(n_save, dim, 1)``; the rest is lost (NaN)."""
    u = np.full((problem.t_save.size, problem.equation.dim, 1), np.nan)
    states = np.asarray(rows, dtype=np.float64)[: len(u)]
    u[: len(states), :, 0] = states
    u[0] = problem.u0
    return u
