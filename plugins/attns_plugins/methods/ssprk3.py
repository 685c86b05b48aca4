"""The strong-stability-preserving method of Shu and Osher, order 3."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

SSPRK3 = ExplicitRungeKutta(
    name="ssprk3",
    title="SSPRK3",
    order=3,
    tableau=ButcherTableau.from_text("""
          0 |
          1 |   1
        1/2 | 1/4 1/4
        ----+------------
          b | 1/6 1/6 2/3
    """),
    tags=frozenset({"runge-kutta", "strong-stability-preserving"}),
    citation=Citation(
        key="shu1988",
        authors="C.-W. Shu, S. Osher",
        title="Efficient implementation of essentially non-oscillatory shock-capturing schemes",
        where="Journal of Computational Physics 77, 439-471",
        year=1988,
        doi="10.1016/0021-9991(88)90177-5",
    ),
)
