"""The linearly implicit Euler method: one linear system per step, order 1, L-stable."""

from attns_core import Citation, Rosenbrock

LINEARLY_IMPLICIT_EULER = Rosenbrock(
    name="linearly-implicit-euler",
    title="Linearly implicit Euler",
    order=1,
    gamma=1.0,
    a=[[]],
    c=[[]],
    m=[1],
    tags=frozenset({"rosenbrock", "stiff", "l-stable"}),
    citation=Citation(
        key="rosenbrock1963",
        authors="H. H. Rosenbrock",
        title="Some general implicit processes for the numerical solution of differential equations",
        where="The Computer Journal 5, 329-330",
        year=1963,
        doi="10.1093/comjnl/5.4.329",
    ),
)
