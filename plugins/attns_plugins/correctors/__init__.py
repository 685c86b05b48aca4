"""Correctors: one file each, plus one line here."""

from attns_core import hookimpl
from attns_core.corrector import Corrector
from attns_plugins.correctors.attns import ATTNS
from attns_plugins.correctors.attns_m import ATTNS_M
from attns_plugins.correctors.linear import LINEAR
from attns_plugins.correctors.neurvec import NEURVEC
from attns_plugins.correctors.polynomial import POLYNOMIAL
from attns_plugins.correctors.stage_attention import STAGE_ATTENTION
from attns_plugins.correctors.tableau import TABLEAU
from attns_plugins.correctors.tableau_attention import TABLEAU_ATTENTION

CORRECTORS: tuple[Corrector, ...] = (
    ATTNS,
    ATTNS_M,
    LINEAR,
    NEURVEC,
    POLYNOMIAL,
    STAGE_ATTENTION,
    TABLEAU,
    TABLEAU_ATTENTION,
)


@hookimpl
def attns_correctors() -> tuple[Corrector, ...]:
    return CORRECTORS
