"""Lorenz-96: a ring of weather stations."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def components(p: Params) -> tuple[str, ...]:
    return tuple(f"x_{i + 1}" for i in range(p.n))


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    n = p.n
    return tuple((u[(i + 1) % n] - u[i - 2]) * u[i - 1] - u[i] + p.forcing for i in range(n))


def array_rhs(t: Any, u: Any, p: Any, xp: Any) -> Any:
    return (xp.roll(u, -1, 0) - xp.roll(u, 2, 0)) * xp.roll(u, 1, 0) - u + p.forcing


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    # Mean and spread of the attractor at forcing 8.
    return rng.normal(2.3, 3.6, (p.n, n))


LORENZ96 = Equation(
    name="lorenz-96",
    title="Lorenz-96 model",
    description=(
        "A scalar on a ring, advected quadratically, damped linearly and driven by a constant `forcing`; at 8 the "
        "motion is spatio-temporal chaos with a third of the directions unstable. High-dimensional chaos at a cost "
        "of four operations a component: round-off of 1e-16 has grown to order one after twenty time units."
    ),
    rhs=rhs,
    array_rhs=array_rhs,
    components=components,
    sample=sample,
    params={"n": 40, "forcing": 8.0},
    least={"n": 4},
    t_end=5.0,
    dts=(0.05, 0.025, 0.0125, 0.00625),
    lyapunov=1.68,
    tags=frozenset({"chaotic", "polynomial", "grid"}),
    latex=(r"\dot{x}_i &= (x_{i+1} - x_{i-2})\, x_{i-1} - x_i + F",),
    citation=Citation(
        key="lorenz1996",
        authors="E. N. Lorenz",
        title="Predictability: a problem partly solved",
        where="Proceedings of the ECMWF Seminar on Predictability, volume 1, 1-18",
        year=1996,
    ),
)
