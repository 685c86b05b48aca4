"""Yoshida's composition of three Stormer-Verlet steps: symplectic, time-reversible, order 4."""

from attns_core import Citation, Splitting

_OUTER = 1 / (2 - 2 ** (1 / 3))
_INNER = 1 - 2 * _OUTER

YOSHIDA4 = Splitting(
    name="yoshida4",
    title="Yoshida 4",
    order=4,
    drift=[_OUTER, _INNER, _OUTER],
    kick=[_OUTER / 2, (_OUTER + _INNER) / 2, (_OUTER + _INNER) / 2, _OUTER / 2],
    tags=frozenset({"symplectic"}),
    citation=Citation(
        key="yoshida1990",
        authors="H. Yoshida",
        title="Construction of higher order symplectic integrators",
        where="Physics Letters A 150, 262-268",
        year=1990,
        doi="10.1016/0375-9601(90)90092-3",
    ),
)
