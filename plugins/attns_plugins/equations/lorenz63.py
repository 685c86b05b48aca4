"""Lorenz-63: the first strange attractor."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, z = u
    return p.sigma * (y - x), x * (p.rho - z) - y, x * y - p.beta * z


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    # A box around the attractor; trajectories fall onto it within one time unit.
    return rng.uniform([[-15.0], [-20.0], [10.0]], [[15.0], [20.0], [40.0]], (3, n))


LORENZ63 = Equation(
    name="lorenz-63",
    title="Lorenz system",
    description="Convection rolls reduced to three modes; chaotic, dissipative, polynomial.",
    rhs=rhs,
    components=("x", "y", "z"),
    sample=sample,
    params={"sigma": 10.0, "rho": 28.0, "beta": 8.0 / 3.0},
    t_end=5.0,
    dts=(0.05, 0.025, 0.0125, 0.00625),
    lyapunov=0.9056,
    tags=frozenset({"chaotic", "polynomial"}),
    citation=Citation(
        key="lorenz1963",
        authors="E. N. Lorenz",
        title="Deterministic nonperiodic flow",
        where="Journal of the Atmospheric Sciences 20, 130-141",
        year=1963,
        doi="10.1175/1520-0469(1963)020<0130:DNF>2.0.CO;2",
    ),
)
