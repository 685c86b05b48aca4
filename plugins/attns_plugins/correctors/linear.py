"""Linear least squares: exact for linear equations, the first baseline for all others."""

from attns_core.corrector import Corrector
from attns_plugins.correctors.polynomial import HAIRER2006

LINEAR = Corrector(
    name="linear",
    title="Linear",
    description="u + S + A x + b. For f(u) = A u the exact corrector is linear in S and in u, with any base method.",
    citation=HAIRER2006,
    input="u",
    features="polynomial",
    degree=1,
    tags=frozenset({"baseline", "learned"}),
)
