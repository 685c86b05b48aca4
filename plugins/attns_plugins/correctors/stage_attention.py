"""Stage attention: state-dependent weights on the method's own stages.

The defaults are what proved best per operation in ``studies/stage_attention.toml``: features of the
state, trained by variable projection.
"""

from attns_core import Citation
from attns_core.corrector import Corrector

STAGE_ATTENTION = Corrector(
    name="stage-attention",
    title="Stage attention",
    description="C_i = sum_m phi_m(u) (a_mi + dt sum_j w_mji k_j,i): attention weights from the state, values from the "
    "stages, which cost no further evaluation. AttNS-m is its case of one value, NeurVec of none.",
    citation=Citation(
        key="attns-software",
        authors="The AttNS developers",
        title="AttNS: honest, fast benchmarking of AI-hybrid solvers",
        where="software",
        year=2026,
    ),
    input="u",
    candidates=("u", "uS", "uK"),
    width=32,
    values="stages",
    recipe="varpro-lm",
    tags=frozenset({"learned"}),
)
