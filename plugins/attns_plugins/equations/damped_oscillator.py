"""Damped oscillator: the linear equation everyone knows."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, v = u
    return v, -2.0 * p.zeta * p.omega * v - p.omega**2 * x


def flow(t: float, omega: float, zeta: float) -> Array:
    """The 2-by-2 matrix that carries ``(x, v)`` over a time ``t``, for any damping."""
    from scipy.linalg import expm

    return expm(t * np.array([[0.0, 1.0], [-(omega**2), -2.0 * zeta * omega]]))


def exact(t: float, u0: Array, p: Params) -> Array:
    return flow(t, p.omega, p.zeta) @ u0


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(-1.0, 1.0, (2, n))


DAMPED_OSCILLATOR = Equation(
    name="damped-oscillator",
    title="Damped oscillator",
    description=(
        "One mass on one spring with friction. Linear, two components, closed form: what a method gets wrong here it "
        "gets wrong everywhere, and a linear corrector must reach round-off."
    ),
    rhs=rhs,
    components=("x", "v"),
    sample=sample,
    params={"omega": 1.0, "zeta": 0.1},
    exact=exact,
    t_end=20.0,
    dts=(0.2, 0.1, 0.05, 0.025),
    tags=frozenset({"linear", "oscillatory", "polynomial"}),
    citation=Citation(
        key="arnold1992",
        authors="V. I. Arnold",
        title="Ordinary differential equations",
        where="Springer Universitext",
        year=1992,
    ),
)
