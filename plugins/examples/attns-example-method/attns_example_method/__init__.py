"""Example method: a one-step method for AttNS, as data."""

from attns_core import AbstractMethod, ButcherTableau, Citation, ExplicitRungeKutta, hookimpl

# The example is Heun's method of order 3. Row sums and order conditions are checked when this is imported.
EXAMPLE_METHOD = ExplicitRungeKutta(
    name="example-method",
    title="Example method",
    order=3,
    tableau=ButcherTableau.from_text("""
          0 |
        1/3 | 1/3
        2/3 |   0 2/3
        ----+------------
          b | 1/4   0 3/4
    """),
    tags=frozenset({"runge-kutta"}),
    citation=Citation(
        key="heun1900",
        authors="K. Heun",
        title="Neue Methoden zur approximativen Integration der Differentialgleichungen",
        where="Zeitschrift fur Mathematik und Physik 45, 23-38",
        year=1900,
    ),
)


@hookimpl
def attns_methods() -> tuple[AbstractMethod, ...]:
    return (EXAMPLE_METHOD,)
