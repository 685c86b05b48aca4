"""Stick-slip with Coulomb's law of friction: motion that sticks, slips, and switches at events."""

from typing import Any

from attns_core import Citation, Equation, Problem
from attns_core.types import Array
from attns_plugins.equations.stick_slip import components, period, sample, smooth_force


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    """The right-hand side in Filippov's sense: friction balances the other forces of a mass that sticks."""
    n = p.masses
    accelerations = []
    for i, force in enumerate(smooth_force(t, u, p, m)):
        slip = u[n + i] - p.belt
        held = m.where(force > p.friction, p.friction, m.where(force < -p.friction, -p.friction, force))
        accelerations.append(force - m.where(slip > 0, p.friction, m.where(slip < 0, -p.friction, held)))
    return (*(u[n + i] for i in range(n)), *accelerations)


def event_driven(problem: Problem, rtol: float) -> Array:
    """The registered event-driven solver on a scan step far below what accuracy needs."""
    from attns_core.control import Adaptive
    from attns_plugins.solvers.stick_slip_events import EventDriven

    return EventDriven(scan=1 / 400).prepare(problem, Adaptive(rtol=rtol, atol=rtol))().u


def runge_kutta(problem: Problem, rtol: float) -> Array:
    """A method of order 8 that halves its steps onto events."""
    from attns_plugins.solvers.event_runge_kutta import integrate

    return integrate(problem, rtol)


STICK_SLIP_COULOMB = Equation(
    name="stick-slip-coulomb",
    title="Stick-slip oscillator, Coulomb friction",
    description=(
        "The limit of stick-slip for a friction that jumps with the direction of slip. A mass sticks to the belt until "
        "its springs pull harder than friction holds, slips, and sticks again: the motion is linear between events and "
        "has kinks at them. The map over whole periods of the shaking does not depend on time; it is piecewise smooth."
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
    },
    least={"masses": 1, "damping": 0.0, "coupling": 0.0, "friction": 0.0},
    period=period,
    solver="stick-slip-events",
    integrators=(("event-driven, exact between events", event_driven), ("order 8, halved onto events", runge_kutta)),
    t_end=20.0,
    dts=(0.1, 0.05, 0.025, 0.0125),
    tags=frozenset({"events", "forced", "oscillatory"}),
    latex=(
        r"\ddot{x}_i &= -x_i - d\, \dot{x}_i - c (x_i - x_{i-1}) - c (x_i - x_{i+1})"
        r" + \delta_{i1} F \cos \omega t - \mu\, \mathrm{sgn}(\dot{x}_i - v)",
    ),
    citation=Citation(
        key="galvanetto1999",
        authors="U. Galvanetto, S. R. Bishop",
        title="Dynamics of a simple damped oscillator undergoing stick-slip vibrations",
        where="Meccanica 34, 337-347",
        year=1999,
    ),
)
