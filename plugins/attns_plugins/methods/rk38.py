"""Kutta's 3/8 rule, order 4."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

RK38 = ExplicitRungeKutta(
    name="rk38",
    title="3/8 rule",
    order=4,
    tableau=ButcherTableau.from_text("""
          0 |
        1/3 |  1/3
        2/3 | -1/3   1
          1 |    1  -1   1
        ----+-----------------
          b |  1/8 3/8 3/8 1/8
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
