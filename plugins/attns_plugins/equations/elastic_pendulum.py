"""Elastic pendulum: a mass on a spring that swings."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    theta, r, omega, v = u
    return (
        omega,
        v,
        (-p.g * m.sin(theta) - 2.0 * omega * v) / r,
        r * omega**2 - p.k / p.m * (r - p.l0) + p.g * m.cos(theta),
    )


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    theta, r, omega, v = u
    kinetic = p.m * (v**2 + (r * omega) ** 2) / 2.0
    return kinetic + p.k * (r - p.l0) ** 2 / 2.0 - p.m * p.g * r * m.cos(theta)


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    angle = rng.uniform(-np.pi / 8, np.pi / 8, n)
    length = rng.uniform(0.95 * p.l0, 1.05 * p.l0, n)
    return np.stack([angle, length, np.zeros(n), np.zeros(n)])


ELASTIC_PENDULUM = Equation(
    name="elastic-pendulum",
    title="Elastic pendulum",
    description=(
        "A point mass hung on a linear spring: swinging and stretching exchange energy through the centrifugal and "
        "Coriolis terms. Nonlinear, two time scales, mildly chaotic for large swings; the quotient by the length "
        "punishes methods that let it shrink."
    ),
    rhs=rhs,
    components=("theta", "r", "omega", "v"),
    sample=sample,
    params={"l0": 10.0, "g": 9.81, "m": 1.0, "k": 40.0},
    invariants=(Invariant("energy", energy),),
    t_end=50.0,
    dts=(0.1, 0.05, 0.025, 0.0125),
    tags=frozenset({"paper", "hamiltonian", "oscillatory"}),
    citation=Citation(
        key="huang2023neurvec",
        authors="Z. Huang, S. Liang, H. Zhang, H. Yang, L. Lin",
        title="On fast simulation of dynamical system with neural vector enhanced numerical solver",
        where="Scientific Reports 13, 15254",
        year=2023,
        doi="10.1038/s41598-023-42194-y",
    ),
)
