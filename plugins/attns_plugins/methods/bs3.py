"""Bogacki and Shampine's pair of orders 3(2), first same as last."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

BS3 = ExplicitRungeKutta(
    name="bs3",
    title="Bogacki-Shampine 3(2)",
    order=3,
    error_order=2,
    tableau=ButcherTableau.from_text("""
            0 |
          1/2 |  1/2
          3/4 |    0 3/4
            1 |  2/9 1/3 4/9
        ------+-----------------
            b |  2/9 1/3 4/9   0
        b_hat | 7/24 1/4 1/3 1/8
    """),
    tags=frozenset({"runge-kutta"}),
    citation=Citation(
        key="bogacki1989",
        authors="P. Bogacki, L. F. Shampine",
        title="A 3(2) pair of Runge-Kutta formulas",
        where="Applied Mathematics Letters 2, 321-325",
        year=1989,
        doi="10.1016/0893-9659(89)90079-7",
    ),
)
