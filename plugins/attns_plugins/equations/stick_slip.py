"""Stick-slip: masses on a moving belt, held by springs and dry friction."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def components(p: Params) -> tuple[str, ...]:
    return (*(f"x_{i + 1}" for i in range(p.masses)), *(f"v_{i + 1}" for i in range(p.masses)))


def smooth_force(t: Any, u: Any, p: Any, m: Any) -> list[Any]:
    """Everything but friction: springs to the wall and between neighbours, damping, shaking of the first mass.

    Where friction is a sign function, a mass sticks to the belt as long as the size of this force stays
    below ``friction`` and slips from the moment it is reached: what an event-driven solver needs.
    """
    n = p.masses
    force = [-u[i] - p.damping * u[n + i] for i in range(n)]
    force[0] = force[0] + p.shake * m.cos(p.omega * t)
    for i in range(1, n):
        pull = p.coupling * (u[i] - u[i - 1])
        force[i - 1], force[i] = force[i - 1] + pull, force[i] - pull
    return force


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    n = p.masses
    force = smooth_force(t, u, p, m)
    drag = [p.friction * m.tanh((u[n + i] - p.belt) / p.eps) for i in range(n)]
    return (*(u[n + i] for i in range(n)), *(force[i] - drag[i] for i in range(n)))


def period(p: Params) -> float:
    return 2.0 * np.pi / p.omega


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    shape = (p.masses, n)
    return np.concatenate([rng.uniform(-1.0, 1.0, shape), rng.uniform(-0.5, 0.5, shape)])


STICK_SLIP = Equation(
    name="stick-slip",
    title="Stick-slip oscillator",
    description=(
        "One or more `masses` on a belt that moves at constant speed, the first shaken periodically. Dry friction "
        "holds each mass on the belt until its springs pull harder, then it slips. Friction is a hyperbolic tangent of "
        "width `eps`, whose limit is Coulomb's law with its events (stick, slip): the motion is stiff while sticking "
        "and has kinks at each event, so that high order is lost on steps across one."
    ),
    rhs=rhs,
    components=components,
    sample=sample,
    params={
        "masses": 1,
        "damping": 0.1,
        "coupling": 1.0,
        "friction": 0.4,
        "belt": 0.2,
        "shake": 0.3,
        "omega": 1.1,
        "eps": 1e-3,
    },
    least={"masses": 1, "eps": 1e-12},
    period=period,
    t_end=20.0,
    dts=(0.1, 0.05, 0.025, 0.0125),
    tags=frozenset({"stiff", "events", "forced", "oscillatory"}),
    latex=(
        r"\ddot{x}_i &= -x_i - d\, \dot{x}_i - c (x_i - x_{i-1}) - c (x_i - x_{i+1})"
        r" + \delta_{i1} F \cos \omega t - \mu \tanh((\dot{x}_i - v) / \varepsilon)",
    ),
    citation=Citation(
        key="galvanetto1999",
        authors="U. Galvanetto, S. R. Bishop",
        title="Dynamics of a simple damped oscillator undergoing stick-slip vibrations",
        where="Meccanica 34, 337-347",
        year=1999,
    ),
)
