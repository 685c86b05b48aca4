"""Pleiades: seven stars in a plane."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array
from attns_plugins.equations import gravity

_N = 7
_X = (3.0, 3.0, -1.0, -3.0, 2.0, -2.0, 2.0)
_Y = (3.0, -3.0, 2.0, 0.0, 0.0, -4.0, 4.0)
_VX = (0.0, 0.0, 0.0, 0.0, 0.0, 1.75, -1.5)
_VY = (0.0, 0.0, 0.0, -1.25, 1.0, 0.0, 0.0)


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, v = u[:_N], u[_N : 2 * _N], u[2 * _N :]
    ax, ay = gravity.accelerations((x, y), p.mass, m)
    return (*(v[i] for i in range(2 * _N)), *ax, *ay)


def array_rhs(t: Any, u: Any, p: Any, xp: Any) -> Any:
    x, y, v = u[:_N], u[_N : 2 * _N], u[2 * _N :]
    return xp.concatenate([v, *gravity.array_accelerations((x, y), p.mass, xp)])


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y, vx, vy = u[:_N], u[_N : 2 * _N], u[2 * _N : 3 * _N], u[3 * _N :]
    return gravity.kinetic((vx, vy), p.mass) + gravity.potential((x, y), p.mass, m)


def angular_momentum(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y, vx, vy = u[:_N], u[_N : 2 * _N], u[2 * _N : 3 * _N], u[3 * _N :]
    return sum(p.mass[i] * (x[i] * vy[i] - y[i] * vx[i]) for i in range(_N))


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """The published initial state with every position moved by up to ``spread``."""
    u0 = np.repeat(np.array([*_X, *_Y, *_VX, *_VY])[:, None], n, axis=1)
    u0[: 2 * _N] += rng.uniform(-p.spread, p.spread, (2 * _N, n))
    return u0


PLEIADES = Equation(
    name="pleiades",
    title="Pleiades",
    description=(
        "Seven stars of masses 1 to 7 attract each other; several pairs pass each other closely before t = 3, where "
        "accelerations rise by orders of magnitude within a few hundredths of a time unit. Made for adaptive steps; "
        "a fixed step must be as short as the closest passage asks. `spread` moves the initial positions."
    ),
    rhs=rhs,
    array_rhs=array_rhs,
    components=tuple(f"{name}_{i + 1}" for name in ("x", "y", "vx", "vy") for i in range(_N)),
    sample=sample,
    params={"mass": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "spread": 1e-3},
    invariants=(Invariant("energy", energy), Invariant("angular momentum", angular_momentum)),
    t_end=3.0,
    dts=(0.01, 0.005, 0.0025, 0.00125),
    tags=frozenset({"hamiltonian", "separable", "n-body"}),
    latex=(
        r"\ddot{x}_i &= \sum_{j \neq i} m_j (x_j - x_i) / r_{ij}^3",
        r"\ddot{y}_i &= \sum_{j \neq i} m_j (y_j - y_i) / r_{ij}^3",
    ),
    citation=Citation(
        key="hairer1993",
        authors="E. Hairer, S. P. Nørsett, G. Wanner",
        title="Solving ordinary differential equations I: nonstiff problems",
        where="Springer Series in Computational Mathematics 8, section II.10",
        year=1993,
        doi="10.1007/978-3-540-78862-1",
    ),
)
