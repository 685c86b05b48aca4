"""Fermi-Pasta-Ulam-Tsingou chain: springs that are nearly linear."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array


def components(p: Params) -> tuple[str, ...]:
    return (*(f"q_{i + 1}" for i in range(p.n)), *(f"p_{i + 1}" for i in range(p.n)))


def stretches(q: Any, n: int) -> list[Any]:
    return [q[0], *(q[i] - q[i - 1] for i in range(1, n)), -q[n - 1]]


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    q, momentum = u[: p.n], u[p.n :]
    pull = [s + p.alpha * s**2 + p.beta * s**3 for s in stretches(q, p.n)]
    return (*(momentum[i] for i in range(p.n)), *(pull[i + 1] - pull[i] for i in range(p.n)))


def array_rhs(t: Any, u: Any, p: Any, xp: Any) -> Any:
    q, momentum = u[: p.n], u[p.n :]
    wall = xp.zeros_like(q[:1])
    s = xp.concatenate([q, wall]) - xp.concatenate([wall, q])
    pull = s * (1.0 + s * (p.alpha + p.beta * s))
    return xp.concatenate([momentum, pull[1:] - pull[:-1]])


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    kinetic = sum(u[p.n + i] ** 2 / 2.0 for i in range(p.n))
    return kinetic + sum(s**2 / 2.0 + p.alpha * s**3 / 3.0 + p.beta * s**4 / 4.0 for s in stretches(u, p.n))


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """At rest, displaced along the three longest normal modes by up to ``amplitude``."""
    site = np.arange(1, p.n + 1)[:, None] / (p.n + 1)
    modes = np.concatenate([np.sin(np.pi * k * site) / k for k in (1, 2, 3)], axis=1)
    return np.concatenate([modes @ rng.uniform(-p.amplitude, p.amplitude, (3, n)), np.zeros((p.n, n))])


FPUT_CHAIN = Equation(
    name="fput-chain",
    title="Fermi-Pasta-Ulam-Tsingou chain",
    description=(
        "A chain of masses whose springs have a weak quadratic (`alpha`) and cubic (`beta`) term. Energy put into the "
        "longest modes leaks to others and comes back: the first surprise of computational physics. "
        "High-dimensional and weakly nonlinear, so that a linear corrector is close to, but not at, the answer."
    ),
    rhs=rhs,
    array_rhs=array_rhs,
    components=components,
    sample=sample,
    params={"n": 32, "alpha": 0.25, "beta": 0.0, "amplitude": 1.0},
    least={"n": 3},
    invariants=(Invariant("energy", energy),),
    t_end=100.0,
    dts=(0.5, 0.25, 0.125, 0.0625),
    tags=frozenset({"hamiltonian", "separable", "oscillatory", "polynomial"}),
    latex=(
        r"\dot{q}_i &= p_i, \quad \dot{p}_i = F(q_{i+1} - q_i) - F(q_i - q_{i-1})",
        r"F(s) &= s + \alpha s^2 + \beta s^3, \quad q_0 = q_{n+1} = 0",
    ),
    citation=Citation(
        key="fermi1955",
        authors="E. Fermi, J. Pasta, S. Ulam, M. Tsingou",
        title="Studies of nonlinear problems",
        where="Los Alamos Scientific Laboratory report LA-1940",
        year=1955,
    ),
)
