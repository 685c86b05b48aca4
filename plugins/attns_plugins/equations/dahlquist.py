"""Dahlquist's test equation ``u' = lambda u``, with a complex lambda written in two real components."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y = u
    return p.real * x - p.imag * y, p.imag * x + p.real * y


def exact(t: float, u0: Array, p: Params) -> Array:
    u = (u0[0] + 1j * u0[1]) * np.exp((p.real + 1j * p.imag) * t)
    return np.stack([u.real, u.imag])


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(-1.0, 1.0, (2, n))


DAHLQUIST = Equation(
    name="dahlquist",
    title="Dahlquist's test equation",
    description=(
        "The linear scalar equation that defines stability regions. A method multiplies u by R(dt lambda) per step, "
        "so every property of its stability function can be read off one trajectory."
    ),
    rhs=rhs,
    components=("x", "y"),
    sample=sample,
    params={"real": -0.5, "imag": 2.0},
    exact=exact,
    t_end=5.0,
    dts=(0.2, 0.1, 0.05, 0.025),
    tags=frozenset({"linear", "oscillatory", "polynomial"}),
    citation=Citation(
        key="dahlquist1963",
        authors="G. Dahlquist",
        title="A special stability problem for linear multistep methods",
        where="BIT Numerical Mathematics 3, 27-43",
        year=1963,
        doi="10.1007/BF01963532",
    ),
)
