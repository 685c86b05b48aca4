"""Arenstorf orbit: a satellite between earth and moon."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array

PERIOD = 17.0652165601579625588917206249
"""Time after which the orbit of :data:`START` closes, for the default ``mu``."""

START = (0.994, 0.0, 0.0, -2.00158510637908252240537862224)


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, vx, vy = u
    earth, moon = x + p.mu, x - (1.0 - p.mu)
    near_earth, near_moon = earth**2 + y**2, moon**2 + y**2
    pull_earth = (1.0 - p.mu) / (near_earth * m.sqrt(near_earth))
    pull_moon = p.mu / (near_moon * m.sqrt(near_moon))
    return (
        vx,
        vy,
        x + 2.0 * vy - pull_earth * earth - pull_moon * moon,
        y - 2.0 * vx - pull_earth * y - pull_moon * y,
    )


def jacobi(t: Any, u: Any, p: Any, m: Any) -> Any:
    """Energy in the rotating frame."""
    x, y, vx, vy = u
    to_earth, to_moon = m.sqrt((x + p.mu) ** 2 + y**2), m.sqrt((x - 1.0 + p.mu) ** 2 + y**2)
    return (vx**2 + vy**2 - x**2 - y**2) / 2.0 - (1.0 - p.mu) / to_earth - p.mu / to_moon


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """The closed orbit's start, moved away from or towards the moon by up to ``spread``."""
    u0 = np.repeat(np.array(START)[:, None], n, axis=1)
    u0[0] += rng.uniform(-p.spread, p.spread, n)
    return u0


ARENSTORF = Equation(
    name="arenstorf",
    title="Arenstorf orbit",
    description=(
        "The restricted three-body problem in the rotating frame. The satellite starts 0.006 from the moon, where "
        "its acceleration is hundreds of times what it is elsewhere, flies three loops and returns. Neighbouring "
        "orbits separate by a factor of a million; `spread` = 0 gives the closed orbit itself."
    ),
    rhs=rhs,
    components=("x", "y", "v_x", "v_y"),
    sample=sample,
    params={"mu": 0.012277471, "spread": 1e-4},
    invariants=(Invariant("Jacobi constant", jacobi),),
    t_end=PERIOD,
    dts=tuple(PERIOD / n for n in (4000, 8000, 16000, 32000)),
    tags=frozenset({"hamiltonian", "n-body"}),
    latex=(
        r"\ddot{x} &= x + 2 \dot{y} - (1 - \mu)(x + \mu) / r_1^3 - \mu (x - 1 + \mu) / r_2^3",
        r"\ddot{y} &= y - 2 \dot{x} - (1 - \mu) y / r_1^3 - \mu y / r_2^3",
        r"r_1^2 &= (x + \mu)^2 + y^2, \quad r_2^2 = (x - 1 + \mu)^2 + y^2",
    ),
    citation=Citation(
        key="arenstorf1963",
        authors="R. F. Arenstorf",
        title="Periodic solutions of the restricted three body problem representing analytic continuations of "
        "Keplerian elliptic motions",
        where="American Journal of Mathematics 85, 27-35",
        year=1963,
        doi="10.2307/2373181",
    ),
)
