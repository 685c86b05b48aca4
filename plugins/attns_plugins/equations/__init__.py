"""Equations: one file each, plus one line here."""

from attns_core import Equation, hookimpl
from attns_plugins.equations.elastic_pendulum import ELASTIC_PENDULUM
from attns_plugins.equations.henon_heiles import HENON_HEILES
from attns_plugins.equations.k_link_pendulum import K_LINK_PENDULUM
from attns_plugins.equations.lorenz63 import LORENZ63
from attns_plugins.equations.spring_chain import SPRING_CHAIN

EQUATIONS: tuple[Equation, ...] = (
    ELASTIC_PENDULUM,
    HENON_HEILES,
    K_LINK_PENDULUM,
    LORENZ63,
    SPRING_CHAIN,
)


@hookimpl
def attns_equations() -> tuple[Equation, ...]:
    return EQUATIONS
