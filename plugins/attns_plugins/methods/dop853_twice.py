"""Two steps of DOP853 as one: 24 stages for a learned tableau, which uses their number and not their weights."""

from attns_core import ExplicitRungeKutta
from attns_plugins.methods.dop853 import DOP853

DOP853_TWICE = ExplicitRungeKutta(
    name="dop853-twice",
    title="DOP853 twice",
    order=DOP853.order,
    tableau=DOP853.tableau.repeated(2),
    citation=DOP853.citation,
    tags=DOP853.tags | {"composed"},
)
