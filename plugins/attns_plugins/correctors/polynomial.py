"""Polynomial least squares: the baseline that every network must beat on smooth problems."""

from attns_core import Citation
from attns_core.corrector import Corrector

HAIRER2006 = Citation(
    key="hairer2006",
    authors="E. Hairer, C. Lubich, G. Wanner",
    title="Geometric Numerical Integration, chapter IX: modified equations",
    where="Springer",
    year=2006,
    doi="10.1007/3-540-30666-8",
)

POLYNOMIAL = Corrector(
    name="poly",
    title="Polynomial",
    description="u + S + P(x) with all monomials up to a total degree; fitted in milliseconds, explodes where it "
    "extrapolates.",
    citation=HAIRER2006,
    input="u",
    features="polynomial",
    degree=5,
    tags=frozenset({"baseline", "learned"}),
)
