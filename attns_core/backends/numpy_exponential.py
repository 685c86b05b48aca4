"""The reference step of exponential Runge-Kutta methods, with dense matrix functions."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from attns_core.equation import Equation, evaluate_rhs
from attns_core.exponential import ExponentialRungeKutta
from attns_core.problem import Problem
from attns_core.types import Array


def linear_part(equation: Equation) -> Array:
    """``df/du`` at ``u = 0`` and the initial time, shape (dim, dim); not finite where ``f`` is singular there."""
    from attns_core.jacobian import Derivatives

    with np.errstate(all="ignore"):
        return Derivatives(equation).jacobian(equation.t0, np.zeros((equation.dim, 1)))[0]


def phi_functions(z: Array) -> list[Array]:
    """``phi_1, phi_2, phi_3`` of a matrix, from one exponential of a block matrix.

    Source: Al-Mohy, Higham, SIAM J. Sci. Comput. 33 (2011) 488, theorem 2.1.
    """
    from scipy.linalg import expm

    n = len(z)
    blocks = np.zeros((4 * n, 4 * n))
    blocks[:n, :n] = z
    for k in range(3):
        blocks[k * n : (k + 1) * n, (k + 1) * n : (k + 2) * n] = np.eye(n)
    first_row = expm(blocks)[:n]
    return [first_row[:, k * n : (k + 1) * n] for k in (1, 2, 3)]


def coefficient_matrices(L: Array, method: ExponentialRungeKutta, dt: float) -> tuple[Array, Array]:
    """``dt a_ij(dt L)`` of shape (stages, stages, dim, dim) and ``b_i(dt L)`` of shape (stages, dim, dim)."""
    a, b, c = method.tables
    phi = {node: np.stack(phi_functions(node * dt * L)) for node in {*c, 1.0} if node != 0}
    inner = np.zeros((method.stages, method.stages, *L.shape))
    for i, node in enumerate(c):
        if node != 0:
            inner[i] = dt * np.tensordot(a[i], phi[node], axes=1)
    return inner, np.tensordot(b, phi[1.0], axes=1)


def exponential_increment(
    problem: Problem, method: ExponentialRungeKutta
) -> Callable[[Any, Array, float], tuple[Array, Array]]:
    """``(t, u, dt)`` -> increment ``S`` (dim, n) and stages ``k_i`` (stages, dim, n)."""
    equation, p = problem.equation, problem.equation.p
    L = linear_part(equation)
    a, _, c = method.tables

    @lru_cache(maxsize=8)
    def matrices(dt: float) -> tuple[Array, Array]:
        return coefficient_matrices(L, method, dt)

    def step(t: Any, u: Array, dt: float) -> tuple[Array, Array]:
        inner, outer = matrices(float(dt))
        k = np.zeros((method.stages, *u.shape), dtype=u.dtype)
        for i in range(method.stages):
            shift = sum((inner[i, j] @ k[j] for j in range(i) if np.any(a[i, j] != 0)), np.zeros_like(u))
            k[i] = evaluate_rhs(equation, t + c[i] * dt, (u + shift).astype(u.dtype), p) - L @ shift
        S = dt * sum((outer[i] @ k[i] for i in range(method.stages)), np.zeros_like(u))
        return S.astype(u.dtype), k

    return step


def why_not_exponential(method: ExponentialRungeKutta, equation: Equation) -> str | None:
    """None if ``method`` applies to ``equation``, else the reason why not."""
    return refusal(method, equation, linear_part(equation))


def refusal(method: ExponentialRungeKutta, equation: Equation, linear: Array) -> str | None:
    """Why a linear part cannot be used, if it cannot."""
    if np.isfinite(linear).all():
        return None
    return f"{method.name} needs a linear part: {equation.name} is singular at u = 0"
