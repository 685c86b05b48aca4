"""Lennard-Jones cluster: seven atoms of argon in a plane."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array

_N = 7

# The frozen argon crystal in nanometres and nanometres per nanosecond.
_PLACES = ((0.0, 0.0), (0.02, 0.39), (0.34, 0.17), (0.36, -0.21), (-0.02, -0.40), (-0.35, -0.16), (-0.31, 0.21))
_SPEEDS = ((-30, -20), (50, -90), (-70, -60), (90, 40), (80, 90), (-40, 100), (-80, -60))

# Argon: sigma in nanometres, and the unit of velocity sqrt(epsilon / mass) in nanometres per nanosecond.
_SIGMA = 0.341
_SPEED = (119.8 * 1.380658e-23 / 66.34e-27) ** 0.5


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, v = u[:_N], u[_N : 2 * _N], u[2 * _N :]
    ax: list[Any] = [0.0] * _N
    ay: list[Any] = [0.0] * _N
    for i in range(_N):
        for j in range(i):
            dx, dy = x[i] - x[j], y[i] - y[j]
            inverse = 1.0 / (dx**2 + dy**2)
            sixth = inverse**3
            push = 24.0 * inverse * sixth * (2.0 * sixth - 1.0)
            fx, fy = push * dx, push * dy
            ax[i], ay[i] = ax[i] + fx, ay[i] + fy
            ax[j], ay[j] = ax[j] - fx, ay[j] - fy
    return (*(v[i] for i in range(2 * _N)), *ax, *ay)


def array_rhs(t: Any, u: Any, p: Any, xp: Any) -> Any:
    x, y, v = u[:_N], u[_N : 2 * _N], u[2 * _N :]
    dx, dy = x[:, None] - x[None], y[:, None] - y[None]
    squared = dx**2 + dy**2
    # An atom meets itself at distance zero: any finite factor yields no force there.
    inverse = 1.0 / xp.where(squared == 0, xp.ones_like(squared), squared)
    sixth = inverse**3
    push = 24.0 * inverse * sixth * (2.0 * sixth - 1.0)
    return xp.concatenate([v, (push * dx).sum(1), (push * dy).sum(1)])


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y, v = u[:_N], u[_N : 2 * _N], u[2 * _N :]
    total = sum(v[i] ** 2 / 2.0 for i in range(2 * _N))
    for i in range(_N):
        for j in range(i):
            sixth = ((x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2) ** -3
            total = total + 4.0 * sixth * (sixth - 1.0)
    return total


def momentum(t: Any, u: Any, p: Any, m: Any) -> Any:
    """Component along x."""
    return sum(u[2 * _N + i] for i in range(_N))


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """The argon crystal, every position and velocity moved by up to ``spread``."""
    places = np.array(_PLACES).T.ravel() / _SIGMA
    speeds = np.array(_SPEEDS, dtype=float).T.ravel() / _SPEED
    return np.concatenate([places, speeds])[:, None] + rng.uniform(-p.spread, p.spread, (4 * _N, n))


LENNARD_JONES = Equation(
    name="lennard-jones",
    title="Lennard-Jones cluster of seven",
    description=(
        "Six atoms around a seventh in a plane, vibrating about the hexagon of least energy; reduced units (for argon "
        "one unit of time is 2.16 ps). Steep repulsion makes the frequencies depend on amplitude and punishes long "
        "steps suddenly: a pair pushed too close explodes."
    ),
    rhs=rhs,
    array_rhs=array_rhs,
    components=tuple(f"{name}_{i + 1}" for name in ("x", "y", "vx", "vy") for i in range(_N)),
    sample=sample,
    params={"spread": 0.02},
    invariants=(Invariant("energy", energy), Invariant("momentum", momentum)),
    t_end=5.0,
    dts=(0.02, 0.01, 0.005, 0.0025),
    tags=frozenset({"hamiltonian", "separable", "oscillatory", "n-body"}),
    latex=(r"\ddot{q}_i &= \sum_{j \neq i} 24\, (2 r_{ij}^{-14} - r_{ij}^{-8})\, (q_i - q_j)",),
    citation=Citation(
        key="biesiadecki1993",
        authors="J. J. Biesiadecki, R. D. Skeel",
        title="Dangers of multiple time step methods",
        where="Journal of Computational Physics 109, 318-328",
        year=1993,
        doi="10.1006/jcph.1993.1220",
    ),
)
