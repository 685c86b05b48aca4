"""Maths namespaces: what ``m`` is in ``rhs(t, u, p, m)``.

One right-hand side is called with NumPy arrays, torch tensors, SymPy symbols, jax arrays or heyoka
expressions. Every namespace offers the same functions under the same names (``FUNCTIONS``); a
conformance check holds them against each other.
"""

import math
from types import SimpleNamespace
from typing import Any, Protocol

FUNCTIONS = ("sin", "cos", "tan", "exp", "log", "sqrt", "tanh", "sinh", "cosh", "abs", "sign", "where")

COST = {"sin": 20, "cos": 20, "tan": 30, "exp": 15, "log": 20, "tanh": 25, "sinh": 25, "cosh": 25}
"""What counts of operations charge for a function, in multiples of an addition; for all others 1.

What a vectorised double-precision kernel pays: a sine is a polynomial of some 20 operations.
"""
DIVISION = 8
"""The same for a division, which retires at a quarter to an eighth of an addition's rate."""


class Maths(Protocol):
    """The functions a right-hand side may use, and the constant ``pi``.

    ``where(condition, a, b)`` selects elementwise; conditions are comparisons such as ``x > 0``.
    Powers are written ``x**2``.
    """

    pi: float

    def sin(self, x: Any) -> Any: ...
    def cos(self, x: Any) -> Any: ...
    def tan(self, x: Any) -> Any: ...
    def exp(self, x: Any) -> Any: ...
    def log(self, x: Any) -> Any: ...
    def sqrt(self, x: Any) -> Any: ...
    def tanh(self, x: Any) -> Any: ...
    def sinh(self, x: Any) -> Any: ...
    def cosh(self, x: Any) -> Any: ...
    def abs(self, x: Any) -> Any: ...
    def sign(self, x: Any) -> Any: ...
    def where(self, condition: Any, a: Any, b: Any) -> Any: ...


def numpy_maths() -> Any:
    """NumPy: numbers and arrays."""
    import numpy as np

    return SimpleNamespace(pi=math.pi, **{name: getattr(np, name) for name in FUNCTIONS})


def sympy_maths() -> Any:
    """SymPy: symbols, for tracing."""
    import sympy as sp

    def where(condition: Any, a: Any, b: Any) -> Any:
        return sp.Piecewise((a, condition), (b, True))

    functions = {n: getattr(sp, n) for n in FUNCTIONS if n not in ("abs", "where")}
    return SimpleNamespace(pi=math.pi, abs=sp.Abs, where=where, **functions)


def torch_maths() -> Any:
    """torch: tensors on any device, differentiable."""
    import torch

    plain = numpy_maths()

    def lift(name: str) -> Any:
        function, of_number = getattr(torch, name), getattr(plain, name)

        # torch's functions refuse plain numbers, which constants in a formula are; as tensors they
        # would be rounded to float32.
        def call(x: Any) -> Any:
            return function(x) if isinstance(x, torch.Tensor) else float(of_number(x))

        return call

    def where(condition: Any, a: Any, b: Any) -> Any:
        if not isinstance(condition, torch.Tensor):
            return a if condition else b
        if not isinstance(a, torch.Tensor) and not isinstance(b, torch.Tensor):
            a = torch.tensor(a, dtype=torch.float64)
        return torch.where(condition, a, b)

    functions = {n: lift(n) for n in FUNCTIONS if n != "where"}
    return SimpleNamespace(pi=math.pi, where=where, **functions)


def jax_maths() -> Any:
    """jax: arrays under jit, vmap and grad."""
    import jax.numpy as jnp  # pyright: ignore[reportMissingImports]

    return SimpleNamespace(pi=math.pi, **{name: getattr(jnp, name) for name in FUNCTIONS})


def heyoka_maths() -> Any:
    """heyoka: expressions for Taylor integration; ``abs``, ``sign`` and ``where`` are not analytic."""
    import heyoka

    def refuse(name: str) -> Any:
        def call(*_: Any) -> Any:
            raise NotImplementedError(f"{name} has no Taylor series at its kink")

        return call

    def lift(function: Any) -> Any:
        # heyoka's functions refuse plain Python numbers, which constants in a formula are.
        return lambda x: function(x if isinstance(x, heyoka.expression) else heyoka.expression(float(x)))

    kinks = ("abs", "sign", "where")
    functions = {n: refuse(n) if n in kinks else lift(getattr(heyoka, n)) for n in FUNCTIONS}
    return SimpleNamespace(pi=math.pi, **functions)
