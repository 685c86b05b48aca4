"""Exponential methods on the compiled backend: their matrices as a kernel's arguments."""

from typing import Any

import numpy as np

from attns_core.backends.numba_record import recorded
from attns_core.backends.numpy_exponential import coefficient_matrices, refusal
from attns_core.equation import Equation
from attns_core.exponential import ExponentialRungeKutta
from attns_core.kernels.derivatives import differentiate
from attns_core.types import Array


def linear_part(equation: Equation) -> Array:
    """As :func:`attns_core.backends.numpy_exponential.linear_part`, from the record.

    The formulas' derivatives take longer for large systems than everything else before a first step.
    """
    graph = recorded(equation)
    slopes = differentiate(graph).jacobian
    values = graph.evaluate([*slopes.values()], equation.p.numeric().tolist(), equation.t0, [0.0] * equation.dim)
    part = np.zeros((equation.dim, equation.dim))
    for entry, value in zip(slopes, values, strict=True):
        part[entry] = value
    return part


def why_not_exponential(method: ExponentialRungeKutta, equation: Equation) -> str | None:
    """None if ``method`` applies to ``equation``, else the reason why not."""
    return refusal(method, equation, linear_part(equation))


def exponential_tables(method: ExponentialRungeKutta, equation: Equation, dt: float, dtype: str) -> tuple[Any, ...]:
    """``inner, present, outer, part, times`` of :mod:`attns_core.kernels.exponential`."""
    inners, present, outers, linear, times, _ = varying_tables(method, equation, np.array([dt]), dtype)
    return inners[0], present, outers[0], linear, times


def varying_tables(method: ExponentialRungeKutta, equation: Equation, lengths: Array, dtype: str) -> tuple[Any, ...]:
    """``inners, present, outers, part, times, table`` for steps of several lengths."""
    L = linear_part(equation)
    distinct, table = np.unique(lengths, return_inverse=True)
    a, _, c = method.tables
    matrices = [coefficient_matrices(L, method, float(dt)) for dt in distinct]
    inners = np.stack([inner for inner, _ in matrices]).astype(dtype)
    outers = np.stack([outer for _, outer in matrices]).astype(dtype)
    present = (a != 0).any(axis=2)
    return inners, present, outers, L.astype(dtype), np.array(c), table.astype(np.int64)
