"""Kutta's method of order 3."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

RK3 = ExplicitRungeKutta(
    name="rk3",
    title="Kutta RK3",
    order=3,
    tableau=ButcherTableau.from_text("""
          0 |
        1/2 | 1/2
          1 |  -1   2
        ----+------------
          b | 1/6 2/3 1/6
    """),
    tags=frozenset({"runge-kutta"}),
    citation=Citation(
        key="kutta1901",
        authors="W. Kutta",
        title="Beitrag zur naherungsweisen Integration totaler Differentialgleichungen",
        where="Zeitschrift fur Mathematik und Physik 46, 435-453",
        year=1901,
    ),
)
