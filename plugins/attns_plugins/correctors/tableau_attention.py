"""Stage attention in every stage: a learned tableau whose weights depend on the state."""

from dataclasses import replace

from attns_plugins.correctors.tableau import TABLEAU

TABLEAU_ATTENTION = replace(
    TABLEAU,
    name="tableau-attention",
    title="Stage attention inside the step",
    description="A learned tableau whose weights depend on the state that the step begins at: "
    "alpha_ij = sum_m phi_m(u) alpha_mij with phi = (1, queries), each query a polynomial of the state. Every stage "
    "attends to the stages before it, and hard states are stepped by other weights than easy ones. Besides the "
    "method's operations there is one multiplication and addition per query and weight, and the queries.",
    queries=2,
    degree=2,
)
