"""The explicit midpoint method, order 2."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

MIDPOINT = ExplicitRungeKutta(
    name="midpoint",
    title="Explicit midpoint",
    order=2,
    tableau=ButcherTableau.from_text("""
          0 |
        1/2 | 1/2
        ----+------
          b |   0 1
    """),
    tags=frozenset({"runge-kutta"}),
    citation=Citation(
        key="runge1895",
        authors="C. Runge",
        title="Ueber die numerische Auflosung von Differentialgleichungen",
        where="Mathematische Annalen 46, 167-178",
        year=1895,
        doi="10.1007/BF01446807",
    ),
)
