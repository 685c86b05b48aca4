"""Spring chain: masses between two walls, coupled by linear springs of random stiffness."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array


def components(p: Params) -> tuple[str, ...]:
    return (*(f"p_{i + 1}" for i in range(p.n)), *(f"q_{i + 1}" for i in range(p.n)))


def derived(p: Params) -> Mapping[str, Any]:
    """Masses and stiffnesses drawn once from ``seed``; override ``k`` or ``m`` to choose them."""
    rng = np.random.default_rng(p.seed)
    stiffness = 5.0 * np.maximum(0.2, 1.0 + rng.standard_normal(p.n + 1) / 4.0)
    mass = np.maximum(0.2, 1.0 + rng.standard_normal(p.n) / 4.0)
    return {"k": stiffness, "m": mass}


def tensions(q: Any, p: Any) -> list[Any]:
    """Tension of each of the ``n + 1`` springs; the walls stand at ``q_0 = q_{n+1} = 0``."""
    inner = [p.k[i] * (q[i] - q[i - 1]) for i in range(1, p.n)]
    return [p.k[0] * q[0], *inner, -p.k[p.n] * q[p.n - 1]]


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    momentum, q = u[: p.n], u[p.n :]
    pull = tensions(q, p)
    force = [pull[i + 1] - pull[i] for i in range(p.n)]
    return (*force, *(momentum[i] / p.m[i] for i in range(p.n)))


def array_rhs(t: Any, u: Any, p: Any, xp: Any) -> Any:
    momentum, q = u[: p.n], u[p.n :]
    wall = xp.zeros_like(q[:1])
    pull = p.k[:, None] * (xp.concatenate([q, wall]) - xp.concatenate([wall, q]))
    return xp.concatenate([pull[1:] - pull[:-1], momentum / p.m[:, None]])


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    momentum, q = u[: p.n], u[p.n :]
    stretch = [q[0], *(q[i] - q[i - 1] for i in range(1, p.n)), -q[p.n - 1]]
    kinetic = sum(momentum[i] ** 2 / (2.0 * p.m[i]) for i in range(p.n))
    return kinetic + sum(p.k[i] * stretch[i] ** 2 / 2.0 for i in range(p.n + 1))


def exact(t: float, u0: Array, p: Params) -> Array:
    """Matrix exponential of the chain's own matrix, read off the right-hand side column by column."""
    from scipy.linalg import expm

    matrix = np.array(rhs(0.0, np.eye(2 * p.n), p, None))
    return expm(t * matrix) @ u0


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(-2.5, 2.5, (2 * p.n, n))


SPRING_CHAIN = Equation(
    name="spring-chain",
    title="Spring chain",
    description=(
        "Masses on a line between two walls, neighbours joined by linear springs; stiffnesses and masses are "
        "drawn at random from `seed`. High-dimensional but linear: many frequencies at once, an exact solution by "
        "the matrix exponential, and therefore an exact corrector. At dt 0.2 the explicit Euler method explodes "
        "while the fourth-order Runge-Kutta method stays bounded."
    ),
    rhs=rhs,
    array_rhs=array_rhs,
    components=components,
    sample=sample,
    params={"n": 20, "seed": 0},
    derived=derived,
    least={"n": 1},
    invariants=(Invariant("energy", energy),),
    exact=exact,
    t_end=20.0,
    dts=(0.2, 0.1, 0.05, 0.025, 0.0125),
    tags=frozenset({"paper", "hamiltonian", "linear", "oscillatory", "polynomial", "separable"}),
    latex=(
        r"\dot{q}_i &= p_i / m_i",
        r"\dot{p}_i &= -k_i (q_i - q_{i-1}) - k_{i+1} (q_i - q_{i+1}), \quad q_0 = q_{n+1} = 0",
    ),
    citation=Citation(
        key="chen2020srnn",
        authors="Z. Chen, J. Zhang, M. Arjovsky, L. Bottou",
        title="Symplectic recurrent neural networks",
        where="International Conference on Learning Representations",
        year=2020,
        url="https://arxiv.org/abs/1909.13334",
    ),
)
