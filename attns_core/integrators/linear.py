"""The matrix exponential: exact flow of ``u' = A u + b`` with constant coefficients."""

import numpy as np

from attns_core.problem import Problem
from attns_core.tracing import trace
from attns_core.types import Array


class NotLinearError(Exception):
    """The right-hand side is not affine in the state with constant coefficients."""


def integrate(problem: Problem, rtol: float) -> Array:
    """States at the saved times (``rtol`` has no effect).

    One exponential per saving interval, since that of a long time loses digits in its squarings.

    Raises
    ------
    NotLinearError
        If the traced Jacobian depends on state or time.
    """
    from scipy.linalg import expm

    a, b = coefficients(problem)
    dim = len(b)
    # The affine part travels as one more component that stays 1.
    generator = np.zeros((dim + 1, dim + 1))
    generator[:dim, :dim], generator[:dim, dim] = a, b
    state = np.concatenate([problem.u0, np.ones((1, problem.n))])
    out = np.empty((problem.t_save.size, *problem.u0.shape))
    out[0] = problem.u0
    for i, gap in enumerate(np.diff(problem.t_save)):
        state = expm(gap * generator) @ state
        out[i + 1] = state[:dim]
    return out


def coefficients(problem: Problem) -> tuple[Array, Array]:
    """``A`` of shape (dim, dim) and ``b`` of shape (dim,) of ``u' = A u + b``.

    Raises
    ------
    NotLinearError
        If the traced Jacobian depends on state or time.
    """
    equation, traced = problem.equation, trace(problem.equation)
    program = traced.jacobian_program
    variables = {traced.t, *traced.u}
    expressions = [*(e for _, e in program.assignments), *program.outputs]
    if not traced.is_autonomous or any(e.free_symbols & variables for e in expressions):
        raise NotLinearError(f"{equation.name} is not linear with constant coefficients")
    dim = equation.dim
    b = equation.evaluate(0.0, np.zeros((dim, 1)))[:, 0]
    a = equation.evaluate(0.0, np.eye(dim)) - b[:, None]
    return a, b
