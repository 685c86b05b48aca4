"""Van der Pol oscillator in the limit of relaxation: slow creep, sudden jumps."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, v = u
    return v, ((1.0 - x**2) * v - x) / p.eps


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """On the slow manifold ``v = x / (1 - x^2)``, give or take five per cent, far from the fold at 1."""
    x = rng.uniform(1.9, 2.1, n)
    return np.stack([x, x / (1.0 - x**2) * rng.uniform(0.95, 1.05, n)])


VAN_DER_POL_STIFF = Equation(
    name="van-der-pol-stiff",
    title="Van der Pol oscillator, stiff",
    description=(
        "The same oscillator with time scaled such that a cycle takes 1.61 units whatever `eps` = 1/mu^2 is. Up to "
        "t = 0.5 all solutions creep along the slow branch, where explicit methods are limited by stability alone; "
        "t = 2 holds a full cycle with two jumps, each far faster than any output grid."
    ),
    rhs=rhs,
    components=("x", "v"),
    sample=sample,
    params={"eps": 1e-6},
    t_end=0.5,
    dts=(0.05, 0.025, 0.0125, 0.00625),
    tags=frozenset({"stiff", "polynomial", "limit-cycle"}),
    citation=Citation(
        key="hairer1996",
        authors="E. Hairer, G. Wanner",
        title="Solving ordinary differential equations II: stiff and differential-algebraic problems",
        where="Springer Series in Computational Mathematics 14, section IV.10",
        year=1996,
        doi="10.1007/978-3-642-05221-7",
    ),
)
