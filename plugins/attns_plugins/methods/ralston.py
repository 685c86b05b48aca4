"""Ralston's method of order 2: the smallest error bound among those of two stages."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

RALSTON = ExplicitRungeKutta(
    name="ralston",
    title="Ralston",
    order=2,
    tableau=ButcherTableau.from_text("""
          0 |
        2/3 | 2/3
        ----+--------
          b | 1/4 3/4
    """),
    tags=frozenset({"runge-kutta"}),
    citation=Citation(
        key="ralston1962",
        authors="A. Ralston",
        title="Runge-Kutta methods with minimum error bounds",
        where="Mathematics of Computation 16, 431-437",
        year=1962,
        doi="10.1090/S0025-5718-1962-0150954-0",
    ),
)
