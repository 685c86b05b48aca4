"""The reference step of Rosenbrock methods: the stage equations as printed, one batched solve per stage."""

from collections.abc import Callable
from typing import Any

import numpy as np

from attns_core.equation import evaluate_rhs
from attns_core.jacobian import Derivatives
from attns_core.method import Rosenbrock
from attns_core.problem import Problem
from attns_core.types import Array

Stages = Callable[[Any, Array, Array, Any], Array]
"""``(t, u, f(t, u), dt)`` -> stages ``U`` of shape (stages, dim, n); ``dt`` a number or one per trajectory."""


def rosenbrock_stages(problem: Problem, method: Rosenbrock) -> Stages:
    """The stages of a Rosenbrock method on a problem's equation."""
    equation, p = problem.equation, problem.equation.p
    derivatives = Derivatives(equation)

    def stages(t: Any, u: Array, k1: Array, dt: Any) -> Array:
        h = np.broadcast_to(np.asarray(dt, dtype=u.dtype), u.shape[1:])
        matrix = np.eye(equation.dim, dtype=u.dtype) / (method.gamma * h)[:, None, None] - derivatives.jacobian(t, u)
        slope = derivatives.time_derivative(t, u)
        U = np.zeros((method.stages, *u.shape), dtype=u.dtype)
        for i in range(method.stages):
            right = k1
            if np.any(method.a[i] != 0):
                inner = u + sum(method.a[i, j] * U[j] for j in range(i))
                right = evaluate_rhs(equation, t + method.alpha[i] * dt, inner, p)
            right = right + sum((method.c[i, j] / h * U[j] for j in range(i)), method.slope[i] * h * slope)
            U[i] = _solve(matrix, right)
        return U

    return stages


def rosenbrock_increment(problem: Problem, method: Rosenbrock) -> Callable[[Any, Array, float], tuple[Array, Array]]:
    """``(t, u, dt)`` -> increment ``S`` (dim, n) and stages ``k_i = U_i / dt`` (stages, dim, n)."""
    equation, p = problem.equation, problem.equation.p
    stages = rosenbrock_stages(problem, method)

    def step(t: Any, u: Array, dt: float) -> tuple[Array, Array]:
        U = stages(t, u, evaluate_rhs(equation, t, u, p), dt)
        return np.tensordot(method.m, U, axes=1).astype(u.dtype), U / np.asarray(dt, dtype=u.dtype)

    return step


def rosenbrock_attempt(problem: Problem, method: Rosenbrock) -> Any:
    """One step with its error estimate, for steps ``h`` of shape ``(n,)``: see ``numpy_adaptive``."""
    stages = rosenbrock_stages(problem, method)

    def attempt(t: Array, u: Array, k1: Array, h: Array) -> tuple[Array, Array, None, None]:
        U = stages(t, u, k1, h)
        new = u + np.tensordot(method.m, U, axes=1)
        return new.astype(u.dtype), np.tensordot(method.e, U, axes=1).astype(u.dtype), None, None

    return attempt


def _solve(matrix: Array, right: Array) -> Array:
    """Solve ``matrix[l] x = right[:, l]`` for every trajectory; singular systems give NaN."""
    try:
        solution: Any = np.linalg.solve(matrix, right.T[:, :, None])[:, :, 0].T
    except np.linalg.LinAlgError:
        solution = np.full_like(right, np.nan)
        for lane in range(right.shape[1]):
            # Alone, so that one singular system costs its own trajectory only.
            if np.linalg.matrix_rank(matrix[lane]) == right.shape[0]:
                solution[:, lane] = np.linalg.solve(matrix[lane], right[:, lane])
    return solution
