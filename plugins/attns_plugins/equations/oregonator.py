"""Oregonator: the Belousov-Zhabotinsky reaction in three concentrations."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, z = u
    return p.s * (y + x * (1.0 - p.q * x - y)), (z - (1.0 + x) * y) / p.s, p.w * (x - z)


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """The published start (1, 2, 3), each concentration times a factor between 1/2 and 2."""
    return np.array([1.0, 2.0, 3.0])[:, None] * 2.0 ** rng.uniform(-1.0, 1.0, (3, n))


OREGONATOR = Equation(
    name="oregonator",
    title="Oregonator",
    description=(
        "Relaxation oscillations over five orders of magnitude: for most of a cycle of some 300 time units two "
        "concentrations are slaved to the third, then all jump. Very stiff between the jumps and sensitive at them; "
        "trajectories on the cycle differ only in phase."
    ),
    rhs=rhs,
    components=("x", "y", "z"),
    sample=sample,
    params={"s": 77.27, "q": 8.375e-6, "w": 0.161},
    t_end=360.0,
    dts=(0.9, 0.45, 0.225, 0.1125),
    tags=frozenset({"stiff", "polynomial", "chemistry", "limit-cycle"}),
    citation=Citation(
        key="field1974",
        authors="R. J. Field, R. M. Noyes",
        title="Oscillations in chemical systems IV: limit cycle behavior in a model of a real chemical reaction",
        where="The Journal of Chemical Physics 60, 1877-1884",
        year=1974,
        doi="10.1063/1.1681288",
    ),
)
