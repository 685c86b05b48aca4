"""A particle in a bowl with random ripples: a smooth force that is expensive to evaluate."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array


def derived(p: Params) -> Mapping[str, Any]:
    """Wave vectors, phases and amplitudes of the ripples, drawn once from ``seed``."""
    rng = np.random.default_rng(p.seed)
    waves = p.roughness * rng.standard_normal((2, p.n_modes))
    phase = rng.uniform(0.0, 2.0 * np.pi, p.n_modes)
    amplitude = p.strength * rng.standard_normal(p.n_modes) * (2.0 / p.n_modes) ** 0.5
    return {"kx": waves[0], "ky": waves[1], "phase": phase, "height": amplitude}


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, vx, vy = u
    ax, ay = -x, -y
    for j in range(p.n_modes):
        slope = p.height[j] * m.sin(p.kx[j] * x + p.ky[j] * y + p.phase[j])
        ax, ay = ax + slope * p.kx[j], ay + slope * p.ky[j]
    return vx, vy, ax, ay


def array_rhs(t: Any, u: Any, p: Any, xp: Any) -> Any:
    waves = xp.stack([p.kx, p.ky])
    slope = p.height[:, None] * xp.sin(waves.T @ u[:2] + p.phase[:, None])
    return xp.concatenate([u[2:], waves @ slope - u[:2]])


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y, vx, vy = u
    ripples = sum(p.height[j] * m.cos(p.kx[j] * x + p.ky[j] * y + p.phase[j]) for j in range(p.n_modes))
    return (vx**2 + vy**2 + x**2 + y**2) / 2.0 + ripples


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(-p.box, p.box, (4, n))


FOURIER_POTENTIAL = Equation(
    name="fourier-potential",
    title="Particle in a random Fourier potential",
    description=(
        "Two-dimensional motion in a harmonic bowl plus `n_modes` cosine ripples with random wave vectors of size "
        "`roughness` and total height `strength`. One sine per mode and evaluation: a stand-in for field maps and "
        "high-degree gravity, where the right-hand side, not the step, is the cost. Smooth and weakly nonlinear at "
        "the default values, chaotic for rough and strong ripples."
    ),
    rhs=rhs,
    array_rhs=array_rhs,
    components=("x", "y", "v_x", "v_y"),
    sample=sample,
    params={"n_modes": 64, "seed": 0, "strength": 0.1, "roughness": 1.0, "box": 1.0},
    derived=derived,
    least={"n_modes": 1, "roughness": 0.0, "strength": 0.0, "box": 0.0},
    invariants=(Invariant("energy", energy),),
    t_end=20.0,
    dts=(0.5, 0.25, 0.125, 0.0625),
    tags=frozenset({"hamiltonian", "separable", "oscillatory", "expensive"}),
    latex=(
        r"\ddot{q} &= -q + \sum_{j=1}^{N} a_j k_j \sin(k_j \cdot q + \varphi_j)",
        r"q &= (x, y), \quad k_j \sim \mathcal{N}(0, \rho^2)^2, \quad a_j \sim s \sqrt{2/N}\, \mathcal{N}(0, 1)",
    ),
    citation=Citation(
        key="kraichnan1970",
        authors="R. H. Kraichnan",
        title="Diffusion by a random velocity field",
        where="The Physics of Fluids 13, 22-31",
        year=1970,
        doi="10.1063/1.1692799",
    ),
)
