"""Henon-Heiles: a star in the meridian plane of a galaxy."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array

# Below 1/6 orbits stay bounded; below 1/8 most of them lie on invariant tori.
_LARGEST_ENERGY = 1.0 / 8.0


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, px, py = u
    return px, py, -x - 2.0 * x * y, -y - x**2 + y**2


def energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    x, y, px, py = u
    return (px**2 + py**2 + x**2 + y**2) / 2.0 + x**2 * y - y**3 / 3.0


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """Uniform in a box, rejected above the largest energy."""
    kept = np.empty((4, 0))
    while kept.shape[1] < n:
        drawn = rng.uniform(-0.4, 0.4, (4, n))
        kept = np.concatenate([kept, drawn[:, energy(0.0, drawn, p, None) < _LARGEST_ENERGY]], axis=1)
    return kept[:, :n]


HENON_HEILES = Equation(
    name="henon-heiles",
    title="Henon-Heiles system",
    description=(
        "Two oscillators coupled by a cubic potential, the classical example of order and chaos side by side. "
        "Initial energies stay below 1/8, where most orbits are regular: what is tested is accuracy and energy "
        "conservation over many periods. A fourth-order method is already excellent at dt 0.1; dt 0.5 is the case "
        "with something left to gain."
    ),
    rhs=rhs,
    components=("x", "y", "p_x", "p_y"),
    sample=sample,
    invariants=(Invariant("energy", energy),),
    t_end=50.0,
    dts=(0.5, 0.25, 0.125, 0.0625),
    tags=frozenset({"paper", "hamiltonian", "oscillatory", "polynomial", "separable"}),
    citation=Citation(
        key="henon1964",
        authors="M. Hénon, C. Heiles",
        title="The applicability of the third integral of motion: some numerical experiments",
        where="The Astronomical Journal 69, 73-79",
        year=1964,
        doi="10.1086/109234",
    ),
)
