"""Hairer and Wanner's RODAS: Rosenbrock pair of orders 4(3), 6 stages, L-stable, stiffly accurate."""

from attns_core import Citation, Rosenbrock

_LAST = (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950)

RODAS4 = Rosenbrock(
    name="rodas4",
    title="RODAS 4(3)",
    order=4,
    error_order=3,
    gamma=0.25,
    a=[
        [],
        [1.544],
        [0.9466785280815826, 0.2557011698983284],
        [3.314825187068521, 2.896124015972201, 0.9986419139977817],
        _LAST,
        [*_LAST, 1],
    ],
    c=[
        [],
        [-5.6688],
        [-2.430093356833875, -0.2063599157091915],
        [-0.1073529058151375, -9.594562251023355, -20.47028614809616],
        [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160],
        [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054],
    ],
    m=[*_LAST, 1, 1],
    e=[0, 0, 0, 0, 0, 1],
    tags=frozenset({"rosenbrock", "stiff", "l-stable"}),
    citation=Citation(
        key="hairer1996",
        authors="E. Hairer, G. Wanner",
        title="Solving Ordinary Differential Equations II: Stiff and Differential-Algebraic Problems",
        where="2nd edition, Springer, section IV.7",
        year=1996,
        doi="10.1007/978-3-642-05221-7",
    ),
)
