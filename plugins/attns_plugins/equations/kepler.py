"""Kepler problem: one planet, one sun, ellipses."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, vx, vy = u
    squared = x**2 + y**2
    pull = 1.0 / (squared * m.sqrt(squared))
    return vx, vy, -x * pull, -y * pull


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y, vx, vy = u
    return (vx**2 + vy**2) / 2.0 - 1.0 / m.sqrt(x**2 + y**2)


def angular_momentum(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y, vx, vy = u
    return x * vy - y * vx


def exact(t: float, u0: Array, p: Params) -> Array:
    """Any bound orbit, by the change of eccentric anomaly since the start (Newton's iteration).

    With semi-axis ``a``, mean motion ``n = a^(-3/2)``, ``sigma = q.v / sqrt(a)`` and ``e_c = 1 - r/a``,
    the change ``E`` solves ``n t = E - e_c sin E + sigma (1 - cos E)``; position and velocity follow
    from the Lagrange coefficients.
    """
    q, v = u0[:2], u0[2:]
    r0 = np.hypot(*q)
    a = 1.0 / (2.0 / r0 - (v**2).sum(0))
    sigma, e_c = (q * v).sum(0) / np.sqrt(a), 1.0 - r0 / a
    mean = t * a**-1.5
    change = mean.copy()
    for _ in range(60):
        defect = change - e_c * np.sin(change) + sigma * (1.0 - np.cos(change)) - mean
        slope = 1.0 - e_c * np.cos(change) + sigma * np.sin(change)
        # A step beyond one radian can leave the basin of an eccentric orbit.
        change -= np.clip(defect / slope, -1.0, 1.0)
    r = a * (1.0 - e_c * np.cos(change) + sigma * np.sin(change))
    f = 1.0 - a / r0 * (1.0 - np.cos(change))
    g = t - a**1.5 * (change - np.sin(change))
    f_dot = -np.sqrt(a) / (r * r0) * np.sin(change)
    g_dot = 1.0 - a / r * (1.0 - np.cos(change))
    return np.concatenate([f * q + g * v, f_dot * q + g_dot * v])


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """At perihelion of ellipses of semi-axis one, eccentricity up to 0.6, turned at random."""
    e, angle = rng.uniform(0.0, 0.6, n), rng.uniform(0.0, 2 * np.pi, n)
    distance, speed = 1.0 - e, np.sqrt((1.0 + e) / (1.0 - e))
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([distance * cos, distance * sin, -speed * sin, speed * cos])


KEPLER = Equation(
    name="kepler",
    title="Kepler problem",
    description=(
        "Motion under an inverse-square force, in units where every sampled orbit has period 2 pi. Eccentric orbits "
        "pass perihelion fast: fixed steps waste their effort at aphelion. Energy, angular momentum and a closed "
        "form are known, so the error of a method needs no reference solution."
    ),
    rhs=rhs,
    components=("x", "y", "v_x", "v_y"),
    sample=sample,
    invariants=(Invariant("energy", energy), Invariant("angular momentum", angular_momentum)),
    exact=exact,
    t_end=20.0,
    dts=(0.1, 0.05, 0.025, 0.0125),
    tags=frozenset({"hamiltonian", "separable", "oscillatory", "n-body"}),
    citation=Citation(
        key="hairer2006",
        authors="E. Hairer, C. Lubich, G. Wanner",
        title="Geometric numerical integration: structure-preserving algorithms for ordinary differential equations",
        where="Springer Series in Computational Mathematics 31, section I.2",
        year=2006,
        doi="10.1007/3-540-30666-8",
    ),
)
