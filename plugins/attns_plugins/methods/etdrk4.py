"""Krogstad's exponential time differencing method of order 4, for semilinear stiff equations."""

from attns_core import Citation, ExponentialRungeKutta

# Each entry: the factors of phi_1, phi_2, phi_3.
ETDRK4 = ExponentialRungeKutta(
    name="etdrk4",
    title="ETDRK4 (Krogstad)",
    order=4,
    a=[
        [],
        [(1 / 2,)],
        [(1 / 2, -1), (0, 1)],
        [(1, -2), (), (0, 2)],
    ],
    b=[(1, -3, 4), (0, 2, -4), (0, 2, -4), (0, -1, 4)],
    c=[0, 1 / 2, 1 / 2, 1],
    tags=frozenset({"exponential", "stiff"}),
    citation=Citation(
        key="krogstad2005",
        authors="S. Krogstad",
        title="Generalized integrating factor methods for stiff PDEs",
        where="Journal of Computational Physics 203, 72-88",
        year=2005,
        doi="10.1016/j.jcp.2004.08.006",
    ),
)
