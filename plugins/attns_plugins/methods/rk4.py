"""The classical Runge-Kutta method of order 4."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

RK4 = ExplicitRungeKutta(
    name="rk4",
    title="Classical Runge-Kutta",
    order=4,
    tableau=ButcherTableau.from_text("""
          0 |
        1/2 | 1/2
        1/2 |   0 1/2
          1 |   0   0   1
        ----+----------------
          b | 1/6 1/3 1/3 1/6
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
