"""Butcher tableaus: the coefficients of a Runge-Kutta method, validated when built."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias, final

import numpy as np

from attns_core.errors import AttnsError

_ROUND_OFF = 1e-13

Coefficient: TypeAlias = str | int | float | Fraction
"""A coefficient as its source prints it: ``"3/40"``, ``"0.161"``, or a number."""


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

    Coefficients may be given as strings (``"1/6"``), which keeps them exact: the float64 arrays are
    what steps use, ``exact`` is what order conditions are checked with.

    Raises
    ------
    AttnsError
        Wrong shapes, a row sum that is not ``c_i``, ``sum b != 1``, ``sum b_error != 0``, an implicit
        tableau, or a coefficient that is not a number.
    """

    a: Any
    b: Any
    c: Any
    b_error: Any = None
    exact: "ExactCoefficients" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        s = len(self.b)
        if len(self.a) != s or len(self.c) != s:
            raise AttnsError(f"tableau: A has {len(self.a)} rows, b {s}, c {len(self.c)} entries; all must agree")
        rows = [_fractions(f"row {i + 1} of A", row) for i, row in enumerate(self.a)]
        for i, row in enumerate(rows):
            if len(row) > s:
                raise AttnsError(f"tableau: row {i + 1} of A has {len(row)} entries, there are {s} stages")
            if any(row[i:]):
                raise AttnsError("tableau: A must be strictly lower triangular (explicit methods only)")
        exact = ExactCoefficients(
            a=tuple(row[:s] + (Fraction(0),) * (s - len(row)) for row in rows),
            b=_fractions("b", self.b),
            c=_fractions("c", self.c),
            b_error=None if self.b_error is None else _fractions("b_error", self.b_error),
        )
        _check_sums(exact)
        object.__setattr__(self, "exact", exact)
        for name in ("a", "b", "c", "b_error"):
            values = getattr(exact, name)
            if values is not None:
                array = np.array(values, dtype=np.float64)
                array.setflags(write=False)
                object.__setattr__(self, name, array)

    @classmethod
    def from_text(cls, text: str) -> "ButcherTableau":
        """A tableau as it is printed in books.

        One row ``c | a_1 a_2 ...`` per stage, then a row ``b | ...`` and, for embedded pairs, either
        ``b_hat | ...`` (weights of the embedded solution) or ``b_error | ...``. A line without ``|``
        continues the row above it; lines of dashes are ignored.

        Examples
        --------
        >>> heun = ButcherTableau.from_text('''
        ...      0 |
        ...      1 | 1
        ...     ---+--------
        ...      b | 1/2 1/2
        ... ''')
        >>> heun.b
        array([0.5, 0.5])
        """
        rows: list[tuple[str, list[str]]] = []
        for line in text.splitlines():
            if not line.strip(" -+"):
                continue
            label, bar, entries = line.partition("|")
            if bar:
                rows.append((label.strip(), entries.split()))
            elif rows:
                rows[-1][1].extend(label.split())
            else:
                raise AttnsError(f"tableau: the first line must be 'c | ...', got {line.strip()!r}")
        weights = {label: entries for label, entries in rows if label.startswith("b")}
        stages = [(label, entries) for label, entries in rows if not label.startswith("b")]
        unknown = set(weights) - {"b", "b_hat", "b_error"}
        if "b" not in weights or unknown or len(weights) + len(stages) != len(rows):
            raise AttnsError(f"tableau: weight rows must be b and b_hat or b_error, got {sorted(weights)}")
        b_error: Any = weights.get("b_error")
        if "b_hat" in weights:
            b, b_hat = _fractions("b", weights["b"]), _fractions("b_hat", weights["b_hat"])
            if len(b) != len(b_hat):
                raise AttnsError(f"tableau: b has {len(b)} entries, b_hat {len(b_hat)}")
            b_error = [main - embedded for main, embedded in zip(b, b_hat, strict=True)]
        return cls(a=[e for _, e in stages], b=weights["b"], c=[c for c, _ in stages], b_error=b_error)

    def repeated(self, steps: int) -> "ButcherTableau":
        """Several steps, each of a ``steps``-th of the length, as one step of the stages that they need.

        It has no error estimate.
        """
        kept, exact = np.flatnonzero(self.needed), self.exact
        b = [exact.b[j] / steps for j in kept]
        a = [[exact.a[i][j] / steps for j in kept if j < i] for i in kept]
        rows = [b * step + row for step in range(steps) for row in a]
        # Rows that sum to their nodes exactly: round-off of the printed digits would add up over the steps.
        return ButcherTableau(a=rows, b=b * steps, c=[sum(row, Fraction(0)) for row in rows])

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


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExactCoefficients:
    """The coefficients as fractions: exactly what was given, before rounding to float64."""

    a: tuple[tuple[Fraction, ...], ...]
    b: tuple[Fraction, ...]
    c: tuple[Fraction, ...]
    b_error: tuple[Fraction, ...] | None


def _fractions(where: str, values: Any) -> tuple[Fraction, ...]:
    try:
        return tuple(v if isinstance(v, Fraction) else Fraction(v) for v in values)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise AttnsError(f"tableau: {where} must hold numbers or strings such as '1/6': {error}") from None


def _check_sums(exact: ExactCoefficients) -> None:
    for i, (row, c) in enumerate(zip(exact.a, exact.c, strict=True)):
        if abs(sum(row) - c) > _ROUND_OFF * max(1, sum(map(abs, row))):
            raise AttnsError(f"tableau: row {i + 1} of A sums to {float(sum(row)):.16g}, c is {float(c):.16g}")
    if abs(sum(exact.b) - 1) > _ROUND_OFF * sum(map(abs, exact.b)):
        raise AttnsError(f"tableau: b sums to {float(sum(exact.b)):.16g}, must be 1")
    if exact.b_error is not None:
        if len(exact.b_error) != len(exact.b):
            raise AttnsError(f"tableau: b_error has {len(exact.b_error)} entries, there are {len(exact.b)} stages")
        if abs(sum(exact.b_error)) > _ROUND_OFF * max(1, sum(map(abs, exact.b_error))):
            raise AttnsError(f"tableau: b_error sums to {float(sum(exact.b_error)):.3g}, must be 0")
