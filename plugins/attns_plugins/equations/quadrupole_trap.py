"""Quadrupole ion trap with an octupole error, driven at radio frequency."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, vx, vy = u
    field = 2.0 * p.q * m.cos(2.0 * t) - p.a
    x2, y2 = x**2, y**2
    return (
        vx,
        vy,
        field * x * (1.0 + p.octupole * (x2 - 3.0 * y2)),
        -field * y * (1.0 + p.octupole * (3.0 * x2 - y2)),
    )


def period(p: Params) -> float:
    return np.pi


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform([[-0.5], [-0.5], [-0.1], [-0.1]], [[0.5], [0.5], [0.1], [0.1]], (4, n))


QUADRUPOLE_TRAP = Equation(
    name="quadrupole-trap",
    title="Radio-frequency quadrupole trap",
    description=(
        "An ion in the plane of a linear trap: Mathieu equations with parameters `a` and `q`, coupled by an octupole "
        "component of the field. Time is scaled so that the forcing has period pi; the ion's slow motion takes some "
        "ten periods. Highly oscillatory and periodically forced: the map over whole periods is smooth and nearly "
        "linear, and does not depend on time."
    ),
    rhs=rhs,
    components=("x", "y", "v_x", "v_y"),
    sample=sample,
    params={"a": 0.02, "q": 0.3, "octupole": 0.1},
    period=period,
    t_end=20.0 * np.pi,
    dts=tuple(np.pi / n for n in (8, 16, 32, 64)),
    tags=frozenset({"separable", "oscillatory", "polynomial", "forced"}),
    latex=(
        r"\ddot{x} &= (2 q \cos 2t - a)\, x\, (1 + o (x^2 - 3 y^2))",
        r"\ddot{y} &= -(2 q \cos 2t - a)\, y\, (1 + o (3 x^2 - y^2))",
    ),
    citation=Citation(
        key="paul1990",
        authors="W. Paul",
        title="Electromagnetic traps for charged and neutral particles",
        where="Reviews of Modern Physics 62, 531-540",
        year=1990,
        doi="10.1103/RevModPhys.62.531",
    ),
)
