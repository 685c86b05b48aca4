"""Exponential methods on the compiled backend: their matrices as a kernel's arguments."""

from typing import Any

import numpy as np

from attns_core.backends.numpy_exponential import coefficient_matrices, linear_part
from attns_core.equation import Equation
from attns_core.exponential import ExponentialRungeKutta


def exponential_tables(method: ExponentialRungeKutta, equation: Equation, dt: float, dtype: str) -> tuple[Any, ...]:
    """``inner, present, outer, linear, times`` of :mod:`attns_core.kernels.exponential`."""
    L = linear_part(equation)
    inner, outer = coefficient_matrices(L, method, dt)
    a, _, c = method.tables
    present = (a != 0).any(axis=2)
    return inner.astype(dtype), present, outer.astype(dtype), L.astype(dtype), np.array(c)
