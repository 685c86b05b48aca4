"""The exponential Euler method: order 1, exact for linear equations with constant coefficients."""

from attns_core import Citation, ExponentialRungeKutta

EXPONENTIAL_EULER = ExponentialRungeKutta(
    name="exponential-euler",
    title="Exponential Euler",
    order=1,
    a=[[]],
    b=[(1,)],
    c=[0],
    tags=frozenset({"exponential", "stiff"}),
    citation=Citation(
        key="hochbruck2010",
        authors="M. Hochbruck, A. Ostermann",
        title="Exponential integrators",
        where="Acta Numerica 19, 209-286",
        year=2010,
        doi="10.1017/S0962492910000048",
    ),
)
