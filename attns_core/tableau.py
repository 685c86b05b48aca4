"""Butcher tableaus: the coefficients of a Runge-Kutta method, validated when built."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.errors import AttnsError

_ROUND_OFF = 1e-13


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ButcherTableau:
    r"""Coefficients ``c | A`` over ``b`` and, for embedded pairs, ``b_error``.

    .. code-block:: text

        c_1 |
        c_2 | a_21                          k_i = f(t + c_i dt, u + dt sum_j a_ij k_j)
        c_3 | a_31 a_32                     S   = dt sum_i b_i k_i
        ----+---------------                e   = dt sum_i b_error_i k_i
            | b_1  b_2  b_3

    Parameters
    ----------
    a : array, shape (s, s)
        Strictly lower triangular. Rows may be given without their trailing zeros.
    b : array, shape (s,)
    c : array, shape (s,)
    b_error : array, shape (s,), optional
        Weights of the *error estimate* (main minus embedded solution); they sum to 0.

    Raises
    ------
    AttnsError
        Wrong shapes, a row sum that is not ``c_i``, ``sum b != 1``, ``sum b_error != 0``, or an
        implicit tableau.
    """

    a: Any
    b: Any
    c: Any
    b_error: Any = None

    def __post_init__(self) -> None:
        b = np.array(self.b, dtype=np.float64)
        c = np.array(self.c, dtype=np.float64)
        s = b.size
        a = np.zeros((s, s))
        if len(self.a) != s or c.shape != (s,) or b.ndim != 1:
            raise AttnsError(f"tableau: A has {len(self.a)} rows, b {b.shape}, c {c.shape}; all must agree")
        for i, row in enumerate(self.a):
            if len(row) > s:
                raise AttnsError(f"tableau: row {i + 1} of A has {len(row)} entries, there are {s} stages")
            a[i, : len(row)] = row
        if np.any(np.triu(a) != 0):
            raise AttnsError("tableau: A must be strictly lower triangular (explicit methods only)")
        off = np.abs(a.sum(axis=1) - c)
        if np.any(off > _ROUND_OFF * np.maximum(1, np.abs(a).sum(axis=1))):
            i = int(np.argmax(off))
            raise AttnsError(f"tableau: row {i + 1} of A sums to {a[i].sum():.16g}, c is {c[i]:.16g}")
        if abs(b.sum() - 1) > _ROUND_OFF * np.abs(b).sum():
            raise AttnsError(f"tableau: b sums to {b.sum():.16g}, must be 1")
        for name, value in (("a", a), ("b", b), ("c", c)):
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        if self.b_error is not None:
            e = np.array(self.b_error, dtype=np.float64)
            if e.shape != (s,):
                raise AttnsError(f"tableau: b_error has shape {e.shape}, expected {(s,)}")
            if abs(e.sum()) > _ROUND_OFF * max(1.0, float(np.abs(e).sum())):
                raise AttnsError(f"tableau: b_error sums to {e.sum():.3g}, must be 0")
            e.setflags(write=False)
            object.__setattr__(self, "b_error", e)

    @property
    def stages(self) -> int:
        return self.b.size

    @property
    def is_fsal(self) -> bool:
        """Last stage is the first of the next step (first same as last)."""
        return bool(self.c[-1] == 1 and np.array_equal(self.a[-1], self.b) and self.b[-1] == 0)

    @property
    def effective_stages(self) -> int:
        """Right-hand sides per fixed step: stages that neither ``b`` nor a needed stage uses are free.

        The last stage of an embedded pair that serves only the error estimate is not evaluated when
        the step is fixed.
        """
        return int(np.count_nonzero(self.needed))

    @property
    def needed(self) -> Any:
        """Stages that the increment depends on, shape ``(s,)``, bool."""
        needed = self.b != 0
        for i in reversed(range(self.stages)):
            if needed[i]:
                needed = needed | (self.a[i] != 0)
        return needed

    def stability(self, z: Any) -> Any:
        """Stability function R(z) = 1 + z b^T (I - z A)^-1 1, elementwise on complex ``z``.

        Source: Hairer, Wanner, Solving Ordinary Differential Equations II, IV.2.
        """
        z = np.asarray(z, dtype=np.complex128)
        k: list[Any] = []
        for i in range(self.stages):
            inner: Any = 1.0
            for j in range(i):
                if self.a[i, j] != 0:
                    inner = inner + z * self.a[i, j] * k[j]
            k.append(inner)
        return 1 + z * sum(self.b[i] * k[i] for i in range(self.stages))
