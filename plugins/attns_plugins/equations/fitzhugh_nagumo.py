"""FitzHugh-Nagumo: a nerve cell in two variables."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    v, w = u
    return v - v**3 / 3.0 - w + p.current, (v + p.a - p.b * w) / p.tau


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform([[-2.0], [-0.5]], [[2.0], [1.5]], (2, n))


FITZHUGH_NAGUMO = Equation(
    name="fitzhugh-nagumo",
    title="FitzHugh-Nagumo model",
    description=(
        "Membrane voltage v and slow recovery w; with this current the cell fires periodically. Upstrokes and "
        "downstrokes are an order of magnitude faster than what lies between them: mildly stiff, with errors made "
        "in one spike appearing as a shift of all later ones."
    ),
    rhs=rhs,
    components=("v", "w"),
    sample=sample,
    params={"a": 0.7, "b": 0.8, "tau": 12.5, "current": 0.5},
    t_end=100.0,
    dts=(0.5, 0.25, 0.125, 0.0625),
    tags=frozenset({"oscillatory", "polynomial", "limit-cycle"}),
    citation=Citation(
        key="fitzhugh1961",
        authors="R. FitzHugh",
        title="Impulses and physiological states in theoretical models of nerve membrane",
        where="Biophysical Journal 1, 445-466",
        year=1961,
        doi="10.1016/S0006-3495(61)86902-6",
    ),
)
