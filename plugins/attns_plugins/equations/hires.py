"""HIRES: a plant responds to light, in eight concentrations."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array

_T_END = 321.8122

START = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0057)


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    y1, y2, y3, y4, y5, y6, y7, y8 = u
    bound = 280.0 * y6 * y8
    return (
        -1.71 * y1 + 0.43 * y2 + 8.32 * y3 + 0.0007,
        1.71 * y1 - 8.75 * y2,
        -10.03 * y3 + 0.43 * y4 + 0.035 * y5,
        8.32 * y2 + 1.71 * y3 - 1.12 * y4,
        -1.745 * y5 + 0.43 * y6 + 0.43 * y7,
        -bound + 0.69 * y4 + 1.71 * y5 - 0.43 * y6 + 0.69 * y7,
        bound - 1.81 * y7,
        -bound + 1.81 * y7,
    )


def enzyme(t: Any, u: Any, p: Any, m: Any) -> Any:
    """Free plus bound enzyme."""
    return u[6] + u[7]


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """A box around the published start: concentrations are positive, the enzyme stays scarce."""
    low = np.array([0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.004])[:, None]
    high = np.array([1.2, 0.05, 0.05, 0.05, 0.05, 0.05, 0.001, 0.007])[:, None]
    return rng.uniform(low, high, (8, n))


HIRES = Equation(
    name="hires",
    title="HIRES",
    description=(
        "High irradiance response of photomorphogenesis: phytochrome reacts with a scarce enzyme. Rates span three "
        "orders of magnitude; after hundreds of time units of smooth decay the enzyme is released, a late switch "
        "whose time depends on all initial concentrations (near 320 for the published ones)."
    ),
    rhs=rhs,
    components=tuple(f"y_{i + 1}" for i in range(8)),
    sample=sample,
    invariants=(Invariant("enzyme", enzyme),),
    t_end=_T_END,
    dts=tuple(_T_END / n for n in (400, 800, 1600, 3200)),
    log_times=(1e-2, _T_END),
    tags=frozenset({"stiff", "polynomial", "chemistry"}),
    citation=Citation(
        key="schaefer1975",
        authors="E. Schäfer",
        title="A new approach to explain the high irradiance responses of photomorphogenesis on the basis of "
        "phytochrome",
        where="Journal of Mathematical Biology 2, 41-56",
        year=1975,
        doi="10.1007/BF00276015",
    ),
)
