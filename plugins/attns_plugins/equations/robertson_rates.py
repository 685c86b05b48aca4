"""Robertson's reactions with uncertain rates: one ensemble is a sweep over initial shares and rates."""

from typing import Any

import numpy as np

from attns_core import Equation, Invariant, Params
from attns_core.types import Array
from attns_plugins.equations.robertson import ROBERTSON, mass


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    a, b, c, f1, f2, f3 = u
    made, back, burnt = p.k1 * f1 * a, p.k3 * f3 * b * c, p.k2 * f2 * b**2
    rest = 0.0 * f1
    return -made + back, made - back - burnt, burnt, rest, rest, rest


def total(t: Any, u: Any, p: Any, m: Any) -> Any:
    return mass(t, u[:3], p, m)


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """Shares as for fixed rates; each rate within ``spread`` of its nominal value."""
    rates = rng.uniform(1.0 - p.spread, 1.0 + p.spread, (3, n))
    return np.concatenate([ROBERTSON.sample(p, rng, n), rates])


ROBERTSON_RATES = Equation(
    name="robertson-rates",
    title="Robertson's reactions with uncertain rates",
    description=(
        "Robertson's reactions for propagating the uncertainty of their rates: three constant components of the "
        "state multiply the rates and are uniform within `spread` of one. As stiff as the original, in an ensemble "
        "of four uncertain numbers, too many for a table."
    ),
    rhs=rhs,
    components=("a", "b", "c", "factor_1", "factor_2", "factor_3"),
    sample=sample,
    params={**ROBERTSON.params, "spread": 0.2},
    least={"spread": 0.0},
    invariants=(Invariant("mass", total),),
    t_end=ROBERTSON.t_end,
    dts=ROBERTSON.dts,
    log_times=ROBERTSON.log_times,
    tags=ROBERTSON.tags,
    latex=(
        r"\dot{a} &= -k_1 f_1 a + k_3 f_3 b c",
        r"\dot{b} &= k_1 f_1 a - k_3 f_3 b c - k_2 f_2 b^2",
        r"\dot{c} &= k_2 f_2 b^2, \quad \dot{f}_1 = \dot{f}_2 = \dot{f}_3 = 0",
    ),
    citation=ROBERTSON.citation,
)
