"""Every form of a right-hand side is the same function."""

import ctypes
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attns_core import Citation, Equation, Problem, UnknownNameError
from attns_core.rhs_forms import rhs_form
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, z = u
    return (
        m.where(x > 0, y, -p.k[0] * y) + m.sin(t),
        p.k[1] * m.abs(x) - m.sign(z) * m.exp(-(y**2)) / (1 + z * z),
        m.sqrt(1 + x**2) * m.tanh(z) + m.cosh(y / 3) - p.a * x**3,
    )


def sample(p: Any, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(-1, 1, (3, n))


EQUATION = Equation(
    name="every-function",
    title="Every function",
    description="Uses conditions, signs, powers and time.",
    rhs=rhs,
    components=("x", "y", "z"),
    sample=sample,
    params={"k": [0.5, 2.0], "a": 0.25},
    t_end=1.0,
    dts=(0.1,),
    citation=Citation(key="none", authors="None", title="Made for a test", where="here", year=2000),
)

T = 0.7


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem.sample(EQUATION, n=5, seed=1)


@pytest.fixture(scope="module")
def expected(problem: Problem) -> Array:
    return EQUATION.evaluate(T, problem.u0)


def test_numpy(problem: Problem, expected: Array) -> None:
    f = problem.rhs("numpy")
    np.testing.assert_array_equal(f(T, problem.u0), expected)
    np.testing.assert_array_equal(f(T, problem.u0[:, 2]), expected[:, 2])


def test_scalar_and_numba(problem: Problem, expected: Array) -> None:
    f, compiled = problem.rhs("scalar"), problem.rhs("numba")
    du = np.empty(3)
    for i in range(problem.n):
        np.testing.assert_allclose(f(T, problem.u0[:, i].copy()), expected[:, i], rtol=1e-13)
        compiled(T, problem.u0[:, i].copy(), du, EQUATION.p.numeric())
        np.testing.assert_allclose(du, expected[:, i], rtol=1e-13)


def test_the_jacobian_is_the_derivative(problem: Problem) -> None:
    jac, u, h = problem.rhs("jacobian"), problem.u0[:, 0].copy(), 1e-6
    for j in range(3):
        step = h * np.eye(3)[j]
        slope = (EQUATION.evaluate(T, u + step) - EQUATION.evaluate(T, u - step)) / (2 * h)
        np.testing.assert_allclose(jac(T, u)[:, j], slope, atol=1e-8)


def test_c_function_pointer(problem: Problem, expected: Array) -> None:
    pointer = ctypes.POINTER(ctypes.c_double)
    f = ctypes.CFUNCTYPE(None, ctypes.c_double, pointer, pointer, pointer)(problem.rhs("cfunc").address)
    u, du, p = problem.u0[:, 3].copy(), np.empty(3), EQUATION.p.numeric()
    f(T, *(a.ctypes.data_as(pointer) for a in (u, du, p)))
    np.testing.assert_allclose(du, expected[:, 3], rtol=1e-13)


def test_torch_is_differentiable(problem: Problem, expected: Array) -> None:
    import torch

    f = problem.rhs("torch")
    u = torch.tensor(problem.u0, requires_grad=True)
    value = f(torch.tensor(T, dtype=torch.float64), u)
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=1e-13)
    value.sum().backward()
    assert u.grad is not None
    assert bool(torch.isfinite(u.grad).all())


def test_jax(problem: Problem, expected: Array) -> None:
    jax = pytest.importorskip("jax", reason="jax is not installed")
    with jax.enable_x64(True):
        value = jax.jit(problem.rhs("jax"))(T, jax.numpy.asarray(problem.u0))
    np.testing.assert_allclose(np.asarray(value), expected, rtol=1e-12)


def chain(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    return tuple(p.c[i] * (u[i] - u[i - 1]) for i in range(3))


def chain_of_arrays(t: Any, u: Any, p: Any, xp: Any) -> Any:
    return p.c[:, None] * (u - xp.concatenate([u[-1:], u[:-1]]))


@pytest.mark.parametrize("form", ["torch", "jax"])
def test_large_systems_use_their_array_form(form: str, problem: Problem) -> None:
    library = pytest.importorskip(form, reason=f"{form} is not installed")
    equation = replace(EQUATION, rhs=chain, array_rhs=chain_of_arrays, params={"c": [1.0, 2.0, -3.0]})
    expected = equation.evaluate(T, problem.u0)
    f = rhs_form(equation, form)
    with library.enable_x64(True) if form == "jax" else nullcontext():
        make = library.numpy.asarray if form == "jax" else library.tensor
        np.testing.assert_allclose(np.asarray(f(T, make(problem.u0))), expected, rtol=1e-14)
        np.testing.assert_allclose(np.asarray(f(T, make(problem.u0[:, 1]))), expected[:, 1], rtol=1e-14)


def test_sympy(problem: Problem) -> None:
    assert len(problem.rhs("sympy").outputs) == 3


def test_an_unknown_form_lists_the_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'numba'"):
        Problem.sample(EQUATION).rhs("numbaa")
