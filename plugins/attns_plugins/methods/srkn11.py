"""Blanes and Moan's splitting of Runge-Kutta-Nystrom type: order 6, 11 stages, symplectic.

For second-order systems ``q'' = f(q)``: with general kinetic energies its order is lower.
"""

from attns_core import Citation, Splitting

_KICKS = (0.0414649985182624, 0.198128671918067, -0.0400061921041533, 0.0752539843015807, -0.0115113874206879)
_DRIFTS = (0.123229775946271, 0.290553797799558, -0.127049212625417, -0.246331761062075, 0.357208872795928)
_MIDDLE_KICK = 1 / 2 - sum(_KICKS)
_MIDDLE_DRIFT = 1 - 2 * sum(_DRIFTS)

SRKN11 = Splitting(
    name="srkn11",
    title="Blanes-Moan SRKN11",
    order=6,
    drift=[*_DRIFTS, _MIDDLE_DRIFT, *reversed(_DRIFTS)],
    kick=[*_KICKS, _MIDDLE_KICK, _MIDDLE_KICK, *reversed(_KICKS)],
    nystrom=True,
    tags=frozenset({"symplectic", "nystrom"}),
    citation=Citation(
        key="blanes2002",
        authors="S. Blanes, P. C. Moan",
        title="Practical symplectic partitioned Runge-Kutta and Runge-Kutta-Nystrom methods",
        where="Journal of Computational and Applied Mathematics 142, 313-330",
        year=2002,
        doi="10.1016/S0377-0427(01)00492-7",
    ),
)
