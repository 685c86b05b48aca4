"""Two steps of Verner's 7(6) as one: 18 stages for a learned tableau, which uses their number and not their weights."""

from attns_core import ExplicitRungeKutta
from attns_plugins.methods.verner7 import VERNER7

VERNER7_TWICE = ExplicitRungeKutta(
    name="verner7-twice",
    title="Verner 7(6) twice",
    order=VERNER7.order,
    tableau=VERNER7.tableau.repeated(2),
    citation=VERNER7.citation,
    tags=VERNER7.tags | {"composed"},
)
