"""Driven oscillator: damped, and pushed by a cosine."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array
from attns_plugins.equations.damped_oscillator import flow


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, v = u
    return v, p.force * m.cos(p.drive * t) - 2.0 * p.zeta * p.omega * v - p.omega**2 * x


def steady(t: float, p: Params) -> Array:
    """The periodic solution, shape (2, 1): real part of a complex amplitude."""
    amplitude = p.force / (p.omega**2 - p.drive**2 + 2j * p.zeta * p.omega * p.drive)
    x = amplitude * np.exp(1j * p.drive * t)
    return np.array([[x.real], [(1j * p.drive * x).real]])


def exact(t: float, u0: Array, p: Params) -> Array:
    return steady(t, p) + flow(t, p.omega, p.zeta) @ (u0 - steady(0.0, p))


def period(p: Params) -> float:
    return 2.0 * np.pi / p.drive


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(-1.0, 1.0, (2, n))


DRIVEN_OSCILLATOR = Equation(
    name="driven-oscillator",
    title="Driven oscillator",
    description=(
        "The damped oscillator under periodic forcing: linear and explicitly dependent on time, with a closed form "
        "(unless undamped and driven at resonance). Separates methods that treat time at their stages correctly from "
        "those that do not."
    ),
    rhs=rhs,
    components=("x", "v"),
    sample=sample,
    params={"omega": 1.0, "zeta": 0.1, "force": 1.0, "drive": 1.5},
    exact=exact,
    period=period,
    t_end=20.0,
    dts=(0.2, 0.1, 0.05, 0.025),
    tags=frozenset({"linear", "oscillatory", "polynomial", "forced"}),
    citation=Citation(
        key="arnold1992",
        authors="V. I. Arnold",
        title="Ordinary differential equations",
        where="Springer Universitext",
        year=1992,
    ),
)
