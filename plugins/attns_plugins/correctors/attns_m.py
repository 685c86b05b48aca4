"""AttNS-m: the multiplicative variant."""

from attns_core.corrector import Corrector
from attns_plugins.correctors.attns import HUANG2024

ATTNS_M = Corrector(
    name="attns-m",
    title="AttNS, multiplicative",
    description="u + S + S * Q[S]: the exact factor is the local error divided by the increment, unbounded where "
    "the increment vanishes, so turning points cannot be corrected.",
    citation=HUANG2024,
    input="S",
    values="increment",
    offset=False,
    tags=frozenset({"paper", "learned"}),
)
