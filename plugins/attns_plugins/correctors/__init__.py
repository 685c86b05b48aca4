"""Correctors: one file each, plus one line here."""

from attns_core import hookimpl
from attns_core.corrector import Corrector

CORRECTORS: tuple[Corrector, ...] = ()


@hookimpl
def attns_correctors() -> tuple[Corrector, ...]:
    return CORRECTORS
