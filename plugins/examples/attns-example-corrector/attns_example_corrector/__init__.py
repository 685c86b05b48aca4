"""Example corrector: a corrector for AttNS, the form of a learned term."""

from attns_core import Citation, hookimpl
from attns_core.corrector import Corrector

# The example reads state and increment through one layer of 32 units; see attns_core.corrector.Corrector
# for all options. It runs on every backend and with every recipe without further code.
EXAMPLE_CORRECTOR = Corrector(
    name="example-corrector",
    title="Example corrector",
    description="What the term reads, and why that should help.",
    citation=Citation(key="you", authors="Your name", title="Example corrector", where="unpublished", year=2026),
    input="uS",
    width=32,
    activation="tanh",
    tags=frozenset({"learned"}),
)


@hookimpl
def attns_correctors() -> tuple[Corrector, ...]:
    return (EXAMPLE_CORRECTOR,)
