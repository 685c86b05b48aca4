"""Robertson: three reactions, nine orders of magnitude between their rates."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    a, b, c = u
    made, back, burnt = p.k1 * a, p.k3 * b * c, p.k2 * b**2
    return -made + back, made - back - burnt, burnt


def mass(t: Any, u: Any, p: Any, m: Any) -> Any:
    a, b, c = u
    return a + b + c


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """A box: much of the first species, a trace of the intermediate (its slaved value is 4e-5), some product."""
    low, high = np.array([[0.8], [0.0], [0.0]]), np.array([[1.2], [1e-4], [0.2]])
    return rng.uniform(low, high, (3, n))


ROBERTSON = Equation(
    name="robertson",
    title="Robertson's reactions",
    description=(
        "An autocatalytic reaction whose intermediate b is produced slowly and consumed at once. After a transient "
        "of 1e-3 it is slaved to the rest, and the interesting evolution takes decades of logarithmic time, up to "
        "1e11: the standard of stiffness. Output times are best spaced logarithmically."
    ),
    rhs=rhs,
    components=("a", "b", "c"),
    sample=sample,
    params={"k1": 0.04, "k2": 3e7, "k3": 1e4},
    invariants=(Invariant("mass", mass),),
    t_end=40.0,
    dts=(0.4, 0.2, 0.1, 0.05),
    log_times=(1e-2, 1e5),
    tags=frozenset({"stiff", "polynomial", "chemistry"}),
    citation=Citation(
        key="robertson1966",
        authors="H. H. Robertson",
        title="The solution of a set of reaction rate equations",
        where="In: Numerical Analysis: An Introduction, Academic Press, 178-182",
        year=1966,
    ),
)
