"""Forced logistic growth: a nonlinear, non-autonomous scalar equation in closed form."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    (x,) = u
    return (p.rate * x - (p.crowding + p.season * m.cos(p.omega * t)) * x**2,)


def exact(t: float, u0: Array, p: Params) -> Array:
    """``w = 1/x`` obeys the linear equation ``w' = -rate w + crowding + season cos(omega t)``."""

    def settled(time: float) -> float:
        swing = p.rate * np.cos(p.omega * time) + p.omega * np.sin(p.omega * time)
        return p.crowding / p.rate + p.season * swing / (p.rate**2 + p.omega**2)

    return 1.0 / (settled(t) + (1.0 / u0 - settled(0.0)) * np.exp(-p.rate * t))


def period(p: Params) -> float:
    return 2.0 * np.pi / p.omega


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(0.2, 2.0, (1, n))


LOGISTIC_FORCED = Equation(
    name="logistic-forced",
    title="Logistic growth with seasons",
    description=(
        "A Bernoulli equation: growth limited by a crowding term that varies with the season. Nonlinear and "
        "explicitly dependent on time, yet solvable in closed form: the test of a method's order."
    ),
    rhs=rhs,
    components=("x",),
    sample=sample,
    params={"rate": 1.0, "crowding": 1.0, "season": 0.5, "omega": 2.0},
    exact=exact,
    period=period,
    t_end=8.0,
    dts=(0.2, 0.1, 0.05, 0.025),
    tags=frozenset({"polynomial", "forced"}),
    citation=Citation(
        key="verhulst1838",
        authors="P.-F. Verhulst",
        title="Notice sur la loi que la population suit dans son accroissement",
        where="Correspondance mathématique et physique 10, 113-121",
        year=1838,
    ),
)
