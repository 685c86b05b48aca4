"""Methods: one file of coefficients each, plus one line here."""

from attns_core import hookimpl
from attns_core.method import AbstractMethod
from attns_plugins.methods.rk4 import RK4

METHODS: tuple[AbstractMethod, ...] = (RK4,)


@hookimpl
def attns_methods() -> tuple[AbstractMethod, ...]:
    return METHODS
