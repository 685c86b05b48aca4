"""Example equation: an equation for AttNS."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params, hookimpl


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    # The example is an undamped pendulum. Use + - * / ** and the functions of m (m.sin, m.exp, ...) only.
    theta, omega = u
    return omega, -p.g / p.length * m.sin(theta)


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    theta, omega = u
    return p.length**2 * omega**2 / 2 - p.g * p.length * m.cos(theta)


def sample(p: Params, rng: np.random.Generator, n: int) -> Any:
    return np.stack([rng.uniform(-1.0, 1.0, n), np.zeros(n)])


EXAMPLE_EQUATION = Equation(
    name="example-equation",
    title="Example equation",
    description="What it models, and what makes it hard.",
    rhs=rhs,
    components=("theta", "omega"),
    sample=sample,
    params={"g": 9.81, "length": 1.0},
    invariants=(Invariant("energy", energy),),
    t_end=10.0,
    dts=(0.2, 0.1, 0.05),
    tags=frozenset({"hamiltonian", "oscillatory"}),
    citation=Citation(
        key="huygens1673",
        authors="C. Huygens",
        title="Horologium oscillatorium",
        where="F. Muguet, Paris",
        year=1673,
    ),
)


@hookimpl
def attns_equations() -> tuple[Equation, ...]:
    return (EXAMPLE_EQUATION,)
