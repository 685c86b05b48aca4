"""Dormand and Prince's pair of orders 5(4), first same as last."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

DOPRI5 = ExplicitRungeKutta(
    name="dopri5",
    title="Dormand-Prince 5(4)",
    order=5,
    error_order=4,
    tableau=ButcherTableau.from_text("""
            0 |
          1/5 |        1/5
         3/10 |       3/40        9/40
          4/5 |      44/45      -56/15       32/9
          8/9 | 19372/6561 -25360/2187 64448/6561 -212/729
            1 |  9017/3168     -355/33 46732/5247   49/176   -5103/18656
            1 |     35/384           0   500/1113  125/192    -2187/6784    11/84
        ------+-----------------------------------------------------------------------
            b |     35/384           0   500/1113  125/192    -2187/6784    11/84    0
        b_hat | 5179/57600           0 7571/16695  393/640 -92097/339200 187/2100 1/40
    """),
    tags=frozenset({"runge-kutta"}),
    citation=Citation(
        key="dormand1980",
        authors="J. R. Dormand, P. J. Prince",
        title="A family of embedded Runge-Kutta formulae",
        where="Journal of Computational and Applied Mathematics 6, 19-26",
        year=1980,
        doi="10.1016/0771-050X(80)90013-3",
    ),
)
