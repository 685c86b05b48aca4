"""AttNS: an additive term that reads the solver's own increment."""

from attns_core import Citation
from attns_core.corrector import Corrector

HUANG2024 = Citation(
    key="huang2024attns",
    authors="Z. Huang, S. Liang, M. Zhong, L. Lin",
    title="AttNS: Attention-Inspired Numerical Solving For Limited Data Scenarios",
    where="International Conference on Machine Learning, PMLR 235, 19929-19948",
    year=2024,
    url="https://proceedings.mlr.press/v235/",
)

ATTNS = Corrector(
    name="attns",
    title="AttNS",
    description="u + S + Q[S]: attention on the increment, added instead of multiplied. Where the increment does "
    "not determine the state (Henon-Heiles) the input uS can succeed where S cannot.",
    citation=HUANG2024,
    input="S",
    tags=frozenset({"paper", "learned"}),
)
