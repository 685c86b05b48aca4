"""K-link pendulum: unit masses on unit rods, hung from each other."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array


def components(p: Params) -> tuple[str, ...]:
    return (*(f"theta_{i + 1}" for i in range(p.K)), *(f"omega_{i + 1}" for i in range(p.K)))


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    """``A theta'' = b``; ``A`` is symmetric positive definite, so elimination needs no pivots.

    Differences of angles are expanded: ``2 K`` sines and cosines instead of ``K^2``.
    """
    n = p.K
    omega = u[n:]
    sin, cos = [m.sin(u[i]) for i in range(n)], [m.cos(u[i]) for i in range(n)]
    matrix: dict[tuple[int, int], Any] = {}
    force: list[Any] = []
    for i in range(n):
        b = -(n - i) * p.g * sin[i]
        for j in range(n):
            weight = float(n - max(i, j))
            if j < i:
                matrix[i, j] = weight * (cos[i] * cos[j] + sin[i] * sin[j])
            if j != i:
                b = b - weight * (sin[i] * cos[j] - cos[i] * sin[j]) * omega[j] ** 2
        matrix[i, i] = float(n - i)
        force.append(b)
    return (*(omega[i] for i in range(n)), *solve_symmetric(matrix, force))


def solve_symmetric(matrix: dict[tuple[int, int], Any], b: list[Any]) -> list[Any]:
    """Solve with the lower triangle of a positive definite matrix by ``L D L^T``, without roots."""
    n = len(b)
    lower: dict[tuple[int, int], Any] = {}
    diagonal: list[Any] = []
    x = list(b)
    for i in range(n):
        scaled = {}
        for j in range(i):
            scaled[j] = matrix[i, j] - sum((scaled[k] * lower[j, k] for k in range(j)), 0.0)
            lower[i, j] = scaled[j] / diagonal[j]
        diagonal.append(matrix[i, i] - sum((scaled[k] * lower[i, k] for k in range(i)), 0.0))
        for j in range(i):
            x[i] = x[i] - lower[i, j] * x[j]
    for i in reversed(range(n)):
        x[i] = x[i] / diagonal[i]
        for j in range(i + 1, n):
            x[i] = x[i] - lower[j, i] * x[j]
    return x


def array_rhs(t: Any, u: Any, p: Any, xp: Any) -> Any:
    """Gauss-Jordan elimination on all entries at once: five operations a column instead of ``K^2``."""
    n = p.K
    theta, omega = u[:n], u[n:]
    row = xp.cumsum(xp.ones_like(theta), 0)
    weight = n + 1.0 - xp.maximum(row[:, None], row[None])
    apart = theta[:, None] - theta[None]
    force = -(weight * xp.sin(apart) * omega[None] ** 2).sum(1) - p.g * (n + 1.0 - row) * xp.sin(theta)
    system = xp.concatenate([weight * xp.cos(apart), force[:, None]], 1)
    for k in range(n):
        pivot = system[k] / system[k, k]
        column = system[:, k]
        # One less in the pivot's own row: subtracting leaves the scaled row there and zeros elsewhere.
        factor = xp.concatenate([column[:k], column[k : k + 1] - 1.0, column[k + 1 :]])
        system = system - factor[:, None] * pivot[None]
    return xp.concatenate([omega, system[:, n]])


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    n = p.K
    vx = vy = height = total = 0.0
    for i in range(n):
        vx = vx + m.cos(u[i]) * u[n + i]
        vy = vy + m.sin(u[i]) * u[n + i]
        height = height - m.cos(u[i])
        total = total + (vx**2 + vy**2) / 2.0 + p.g * height
    return total


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    angles = rng.uniform(-p.amplitude, p.amplitude, (p.K, n))
    return np.concatenate([angles, np.zeros((p.K, n))])


K_LINK_PENDULUM = Equation(
    name="k-link-pendulum",
    title="K-link pendulum",
    description=(
        "A chain of K unit masses on massless unit rods; K = 2 is the double pendulum. Each evaluation solves a "
        "dense K-by-K system for the accelerations, so the cost grows as K^3, and the motion is chaotic once the "
        "angles are large. `amplitude` bounds the initial angles, from which the chain is released at rest: with "
        "pi/16 the motion is nearly a superposition of modes."
    ),
    rhs=rhs,
    array_rhs=array_rhs,
    components=components,
    sample=sample,
    params={"K": 2, "g": 9.81, "amplitude": np.pi / 4},
    least={"K": 1},
    invariants=(Invariant("energy", energy),),
    t_end=20.0,
    dts=(0.1, 0.05, 0.025, 0.0125),
    tags=frozenset({"paper", "hamiltonian", "chaotic", "oscillatory"}),
    latex=(
        r"\sum_{j=1}^{K} A_{ij}\, \ddot{\theta}_j &= -g\, (K + 1 - i) \sin \theta_i"
        r" - \sum_{j=1}^{K} w_{ij} \sin(\theta_i - \theta_j)\, \dot{\theta}_j^2",
        r"A_{ij} &= w_{ij} \cos(\theta_i - \theta_j), \quad w_{ij} = K + 1 - \max(i, j)",
    ),
    citation=Citation(
        key="lopes2017",
        authors="A. M. Lopes, J. A. Tenreiro Machado",
        title="Dynamics of the N-link pendulum: a fractional perspective",
        where="International Journal of Control 90, 1192-1200",
        year=2017,
        doi="10.1080/00207179.2015.1126677",
    ),
)
