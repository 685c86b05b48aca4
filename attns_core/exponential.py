"""Exponential Runge-Kutta methods: the linear part of an equation is taken exactly."""

import math
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from attns_core.errors import AttnsError
from attns_core.identity import content_hash
from attns_core.method import AbstractMethod
from attns_core.order_conditions import first_violated


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ExponentialRungeKutta(AbstractMethod):
    r"""An explicit exponential Runge-Kutta method with constant linear part ``L = df/du`` at ``u = 0``.

    With ``z = dt L`` and the entire functions ``phi_1(z) = (e^z - 1)/z``, ``phi_2``, ``phi_3``:

    .. math::

        U_i = u + dt \sum_{j<i} a_{ij}(z) k_j, \qquad k_i = f(t + c_i dt, U_i) - L (U_i - u), \qquad
        S = dt \sum_i b_i(z) k_i

    where each coefficient is a combination of these functions, ``a_ij`` of ``phi_k(c_i z)`` and ``b_i``
    of ``phi_k(z)`` (Hochbruck, Ostermann, Acta Numerica 19 (2010) 209). Meant for semilinear equations
    ``u' = L u + N(u)``, whose stiffness is in ``L``.

    Parameters
    ----------
    a : sequence of rows
        ``a[i][j]`` is the tuple of factors of ``phi_1, phi_2, phi_3``; strictly lower triangular.
    b : sequence
        The same for the weights.
    c : sequence of float

    Raises
    ------
    AttnsError
        If ``sum_j a_ij`` is not ``c_i phi_1(c_i z)``, ``sum_i b_i`` not ``phi_1(z)``, or the Runge-Kutta
        method that remains for ``L = 0`` does not have the order declared.
    """

    a: Any
    b: Any
    c: Any
    tables: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        AbstractMethod.__post_init__(self)
        s = len(self.b)
        if len(self.a) != s or len(self.c) != s:
            raise AttnsError(f"method {self.name!r}: a has {len(self.a)} rows, b {s}, c {len(self.c)} entries")
        a, b = np.zeros((s, s, 3)), np.zeros((s, 3))
        for i, row in enumerate(self.a):
            if len(row) > i:
                raise AttnsError(f"method {self.name!r}: a must be strictly lower triangular")
            for j, factors in enumerate(row):
                a[i, j, : len(factors)] = factors
        for i, factors in enumerate(self.b):
            b[i, : len(factors)] = factors
        for i, (total, c) in enumerate([*zip(a.sum(axis=1), self.c, strict=True), (b.sum(axis=0), 1.0)]):
            if np.abs(total - [c, 0, 0]).max() > 1e-14:
                where = f"row {i + 1} of a" if i < s else "b"
                raise AttnsError(f"method {self.name!r}: {where} sums to {total} times phi_1..3, must be {c:g} phi_1")
        at_zero = np.array([1 / math.factorial(k) for k in (1, 2, 3)])
        violated = first_violated(a @ at_zero, b @ at_zero, self.order, 1e-13)
        if violated is not None:
            raise AttnsError(
                f"method {self.name!r}: for L = 0 it violates the order condition of the tree {violated[0]}"
            )
        for value in (a, b):
            value.setflags(write=False)
        object.__setattr__(self, "tables", (a, b, tuple(float(c) for c in self.c)))

    @property
    def stages(self) -> int:
        return len(self.b)

    def identity(self) -> str:
        return content_hash(list(self.tables))
