"""Stormer-Verlet (leapfrog, kick-drift-kick): symplectic, time-reversible, order 2."""

from attns_core import Citation, Splitting

STORMER_VERLET = Splitting(
    name="stormer-verlet",
    title="Stormer-Verlet",
    order=2,
    drift=[1],
    kick=[1 / 2, 1 / 2],
    tags=frozenset({"symplectic"}),
    citation=Citation(
        key="hairer2003",
        authors="E. Hairer, C. Lubich, G. Wanner",
        title="Geometric numerical integration illustrated by the Stormer-Verlet method",
        where="Acta Numerica 12, 399-450",
        year=2003,
        doi="10.1017/S0962492902000144",
    ),
)
