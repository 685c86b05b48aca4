"""What the adapters share: whether a library is there, what was compiled lately, what was not reached."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from importlib.util import find_spec
from typing import Any, Generic, TypeVar, final

import numpy as np

from attns_core import Problem

T = TypeVar("T")


@final
class Recent(Generic[T]):
    """The last few of what is slow to make, by key: several tolerances share one compiled function."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = make()
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


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
