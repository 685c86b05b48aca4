"""The improved Euler method, also called Heun's: the explicit trapezoidal rule, order 2."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

HEUN = ExplicitRungeKutta(
    name="heun",
    title="Improved Euler (Heun)",
    order=2,
    tableau=ButcherTableau.from_text("""
        0 |
        1 |   1
        --+--------
        b | 1/2 1/2
    """),
    tags=frozenset({"runge-kutta"}),
    citation=Citation(
        key="heun1900",
        authors="K. Heun",
        title=(
            "Neue Methoden zur approximativen Integration der Differentialgleichungen einer unabhangigen Veranderlichen"
        ),
        where="Zeitschrift fur Mathematik und Physik 45, 23-38",
        year=1900,
    ),
)
