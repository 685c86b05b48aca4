"""Lotka-Volterra: predator and prey."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y = u
    return x * (p.alpha - p.beta * y), y * (p.delta * x - p.gamma)


def first_integral(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y = u
    return p.delta * x - p.gamma * m.log(x) + p.beta * y - p.alpha * m.log(y)


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(0.5, 2.0, (2, n))


LOTKA_VOLTERRA = Equation(
    name="lotka-volterra",
    title="Lotka-Volterra equations",
    description=(
        "Prey x and predators y cycle around a centre on closed curves. A first integral exists, though in these "
        "variables no Hamiltonian does; near the axes populations are tiny and a step too long makes them negative."
    ),
    rhs=rhs,
    components=("x", "y"),
    sample=sample,
    params={"alpha": 1.5, "beta": 1.0, "gamma": 3.0, "delta": 1.0},
    invariants=(Invariant("first integral", first_integral),),
    t_end=10.0,
    dts=(0.1, 0.05, 0.025, 0.0125),
    tags=frozenset({"oscillatory", "polynomial"}),
    citation=Citation(
        key="volterra1926",
        authors="V. Volterra",
        title="Fluctuations in the abundance of a species considered mathematically",
        where="Nature 118, 558-560",
        year=1926,
        doi="10.1038/118558a0",
    ),
)
