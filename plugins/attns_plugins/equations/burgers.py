"""Burgers' equation on a periodic grid."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array


def components(p: Params) -> tuple[str, ...]:
    return tuple(f"u_{i + 1}" for i in range(p.n))


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    n = p.n
    advect, diffuse = n / (6.0 * p.length), p.viscosity * n**2 / p.length**2
    slopes = []
    for i in range(n):
        left, here, right = u[i - 1], u[i], u[(i + 1) % n]
        flux = (right - left) * (right + here + left)
        slopes.append(diffuse * (right - 2.0 * here + left) - advect * flux)
    return tuple(slopes)


def array_rhs(t: Any, u: Any, p: Any, xp: Any) -> Any:
    advect, diffuse = p.n / (6.0 * p.length), p.viscosity * p.n**2 / p.length**2
    left, right = xp.roll(u, 1, 0), xp.roll(u, -1, 0)
    return diffuse * (right - 2.0 * u + left) - advect * (right - left) * (right + u + left)


def momentum(t: Any, u: Any, p: Any, m: Any) -> Any:
    return sum(u[i] for i in range(p.n)) / p.n


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """Sums of the first four Fourier modes with random phases, standard deviation about 0.7."""
    x = 2.0 * np.pi * np.arange(p.n)[:, None] / p.n
    amplitude, phase = rng.normal(0.0, 0.5, (4, n)), rng.uniform(0.0, 2.0 * np.pi, (4, n))
    return sum((amplitude[k] * np.sin((k + 1) * x + phase[k]) for k in range(4)), np.zeros((p.n, n)))


BURGERS = Equation(
    name="burgers",
    title="Burgers' equation",
    description=(
        "The viscous Burgers equation by the method of lines: central differences on a periodic grid, the advection "
        "in the form that conserves momentum and, without viscosity, energy. Waves steepen into fronts as wide as "
        "`viscosity` allows and then decay; on a finer grid diffusion makes it stiff."
    ),
    rhs=rhs,
    array_rhs=array_rhs,
    components=components,
    sample=sample,
    params={"n": 64, "length": 2.0 * np.pi, "viscosity": 0.05},
    least={"n": 3},
    invariants=(Invariant("momentum", momentum),),
    t_end=2.0,
    dts=(0.05, 0.025, 0.0125, 0.00625),
    tags=frozenset({"polynomial", "grid", "semilinear", "fluid"}),
    latex=(
        r"\dot{u}_i &= \nu (u_{i+1} - 2 u_i + u_{i-1}) / h^2"
        r" - (u_{i+1} - u_{i-1})(u_{i+1} + u_i + u_{i-1}) / (6 h)",
        r"h &= L / n",
    ),
    citation=Citation(
        key="burgers1948",
        authors="J. M. Burgers",
        title="A mathematical model illustrating the theory of turbulence",
        where="Advances in Applied Mechanics 1, 171-199",
        year=1948,
        doi="10.1016/S0065-2156(08)70100-5",
    ),
)
