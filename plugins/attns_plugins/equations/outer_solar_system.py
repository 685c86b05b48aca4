"""Outer solar system: the sun, four giant planets and Pluto."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array
from attns_plugins.equations import gravity

BODIES = ("sun", "jupiter", "saturn", "uranus", "neptune", "pluto")

# Astronomical units, on 5 September 1994 at midnight; one row per body.
_POSITIONS = (
    (0.0, 0.0, 0.0),
    (-3.5023653, -3.8169847, -1.5507963),
    (9.0755314, -3.0458353, -1.6483708),
    (8.3101420, -16.2901086, -7.2521278),
    (11.4707666, -25.7294829, -10.8169456),
    (-15.5387357, -25.2225594, -3.1902382),
)

# Astronomical units per day.
_VELOCITIES = (
    (0.0, 0.0, 0.0),
    (0.00565429, -0.00412490, -0.00190589),
    (0.00168318, 0.00483525, 0.00192462),
    (0.00354178, 0.00137102, 0.00055029),
    (0.00288930, 0.00114527, 0.00039677),
    (0.00276725, -0.00170702, -0.00136504),
)

# In solar masses; the sun's includes the inner planets.
_MASSES = [1.00000597682, 0.000954786104043, 0.000285583733151, 0.0000437273164546, 0.0000517759138449, 1.0 / 1.3e8]


def axes(u: Any) -> tuple[Any, ...]:
    """Coordinates x, y, z of all bodies, then velocities: six slices of the state."""
    return tuple(u[6 * i : 6 * (i + 1)] for i in range(6))


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    pulls = gravity.accelerations(axes(u)[:3], p.mass, m)
    return (*(u[18 + i] for i in range(18)), *(p.G * a for axis in pulls for a in axis))


def array_rhs(t: Any, u: Any, p: Any, xp: Any) -> Any:
    pulls = gravity.array_accelerations(axes(u)[:3], p.mass, xp)
    return xp.concatenate([u[18:], *(p.G * a for a in pulls)])


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    *places, vx, vy, vz = axes(u)
    return gravity.kinetic((vx, vy, vz), p.mass) + p.G * gravity.potential(places, p.mass, m)


def angular_momentum(t: Any, u: Any, p: Any, m: Any) -> Any:
    """Component along z."""
    x, y, _, vx, vy, _ = axes(u)
    return sum(p.mass[i] * (x[i] * vy[i] - y[i] * vx[i]) for i in range(6))


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """The published positions, each coordinate of a planet moved by up to ``spread`` units."""
    start = np.concatenate([np.array(_POSITIONS).T.ravel(), np.array(_VELOCITIES).T.ravel()])
    u0 = np.repeat(start[:, None], n, axis=1)
    moved = rng.uniform(-p.spread, p.spread, (3, 6, n))
    moved[:, 0] = 0.0
    u0[:18] += moved.reshape(18, n)
    return u0


OUTER_SOLAR_SYSTEM = Equation(
    name="outer-solar-system",
    title="Outer solar system",
    description=(
        "The sun with Jupiter, Saturn, Uranus, Neptune and Pluto over 20000 days (Jupiter's year has 4333). A large, "
        "nearly integrable Hamiltonian system: symplectic methods keep its energy for ages at steps of half a year, "
        "others let the planets drift. Distances in astronomical units, time in days, masses in solar masses."
    ),
    rhs=rhs,
    array_rhs=array_rhs,
    components=tuple(f"{q}_{body}" for q in ("x", "y", "z", "vx", "vy", "vz") for body in BODIES),
    sample=sample,
    params={"G": 2.95912208286e-4, "mass": _MASSES, "spread": 0.01},
    invariants=(Invariant("energy", energy), Invariant("angular momentum", angular_momentum)),
    t_end=20000.0,
    dts=(200.0, 100.0, 50.0, 25.0),
    tags=frozenset({"hamiltonian", "separable", "oscillatory", "n-body"}),
    latex=(r"\ddot{q}_i &= G \sum_{j \neq i} m_j (q_j - q_i) / |q_j - q_i|^3",),
    citation=Citation(
        key="hairer2006",
        authors="E. Hairer, C. Lubich, G. Wanner",
        title="Geometric numerical integration: structure-preserving algorithms for ordinary differential equations",
        where="Springer Series in Computational Mathematics 31, section I.2.4",
        year=2006,
        doi="10.1007/3-540-30666-8",
    ),
)
