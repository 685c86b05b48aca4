"""Van der Pol oscillator: negative damping inside, positive damping outside."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, v = u
    return v, p.mu * (1.0 - x**2) * v - x


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(-2.5, 2.5, (2, n))


VAN_DER_POL = Equation(
    name="van-der-pol",
    title="Van der Pol oscillator",
    description=(
        "Every solution but one spirals onto the same limit cycle. With `mu` of order one the cycle is nearly round "
        "and any explicit method works; phase errors add up from turn to turn."
    ),
    rhs=rhs,
    components=("x", "v"),
    sample=sample,
    params={"mu": 1.0},
    t_end=20.0,
    dts=(0.2, 0.1, 0.05, 0.025),
    tags=frozenset({"oscillatory", "polynomial", "limit-cycle"}),
    citation=Citation(
        key="vanderpol1926",
        authors="B. van der Pol",
        title="On relaxation-oscillations",
        where="Philosophical Magazine 2, 978-992",
        year=1926,
        doi="10.1080/14786442608564127",
    ),
)
