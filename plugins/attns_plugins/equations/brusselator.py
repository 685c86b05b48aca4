"""Brusselator: a chemical clock."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y = u
    made = x**2 * y
    return p.a + made - (p.b + 1.0) * x, p.b * x - made


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform([[0.5], [2.0]], [[2.5], [4.0]], (2, n))


BRUSSELATOR = Equation(
    name="brusselator",
    title="Brusselator",
    description=(
        "An autocatalytic model reaction; for b > 1 + a^2 its equilibrium is unstable and every solution approaches "
        "a limit cycle with a steep pulse of x once per turn. Moderately stiff in the pulse."
    ),
    rhs=rhs,
    components=("x", "y"),
    sample=sample,
    params={"a": 1.0, "b": 3.0},
    t_end=20.0,
    dts=(0.1, 0.05, 0.025, 0.0125),
    tags=frozenset({"oscillatory", "polynomial", "limit-cycle", "chemistry"}),
    citation=Citation(
        key="prigogine1968",
        authors="I. Prigogine, R. Lefever",
        title="Symmetry breaking instabilities in dissipative systems II",
        where="The Journal of Chemical Physics 48, 1695-1700",
        year=1968,
        doi="10.1063/1.1668896",
    ),
)
