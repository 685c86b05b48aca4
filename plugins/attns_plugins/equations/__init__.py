"""Equations: one file each, plus one line here."""

from attns_core import Equation, hookimpl
from attns_plugins.equations.lorenz63 import LORENZ63

EQUATIONS: tuple[Equation, ...] = (LORENZ63,)


@hookimpl
def attns_equations() -> tuple[Equation, ...]:
    return EQUATIONS
