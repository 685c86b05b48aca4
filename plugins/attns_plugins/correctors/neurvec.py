"""NeurVec: an additive term that reads the state."""

from attns_core import Citation
from attns_core.corrector import Corrector

NEURVEC = Corrector(
    name="neurvec",
    title="NeurVec",
    description="u + S + N(u) with one hidden layer of 1024 rational units, the published form. Width and activation "
    "are options: compare at equal operations.",
    citation=Citation(
        key="huang2023neurvec",
        authors="Z. Huang, S. Liang, H. Zhang, H. Yang, L. Lin",
        title="On fast simulation of dynamical system with neural vector enhanced numerical solver",
        where="Scientific Reports 13, 15254",
        year=2023,
        doi="10.1038/s41598-023-42194-y",
    ),
    input="u",
    width=1024,
    activation="rational",
    linear=False,
    tags=frozenset({"paper", "learned"}),
)
