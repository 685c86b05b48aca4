"""Learned tableaus: attention inside the step, with constant weights of each component's own."""

from attns_core.corrector import Corrector
from attns_plugins.correctors.stage_attention import STAGE_ATTENTION

TABLEAU = Corrector(
    name="tableau",
    title="Learned tableau",
    description="k_i = f(u + dt sum_j (a_ij + alpha_ij) k_j), S = dt sum_j (b_j + beta_j) k_j with a vector over "
    "components for each alpha and beta: every stage weighs the stages before it, for this equation at this step. No "
    "operation is added to the method's.",
    citation=STAGE_ATTENTION.citation,
    input="u",
    tableau=True,
    recipe="tableau-lm",
    tags=frozenset({"learned"}),
)
