"""Methods: classical one-step schemes as data. What a step computes, never how fast or on what."""

from abc import ABC
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, final

import numpy as np

from attns_core.citation import Citation
from attns_core.errors import AttnsError
from attns_core.identity import content_hash
from attns_core.order_conditions import first_violated, vertices
from attns_core.tableau import ButcherTableau


@dataclass(frozen=True, kw_only=True, eq=False)
class AbstractMethod(ABC):
    """What every method states about itself.

    Parameters
    ----------
    name, title : str
    order : int
        Order of consistency of the increment ``S``.
    citation : Citation
    tags : frozenset of str
        ``runge-kutta``, ``symplectic``, ``stiff``, ...
    """

    name: str
    title: str
    order: int
    citation: Citation
    tags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.order < 1:
            raise AttnsError(f"method {self.name!r}: order must be at least 1, got {self.order}")

    @property
    def is_adaptive(self) -> bool:
        """Whether an embedded error estimate allows step-size control."""
        return False

    def identity(self) -> str:
        """Hash of the coefficients."""
        raise TypeError(f"{type(self).__name__} must define identity()")


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ExplicitRungeKutta(AbstractMethod):
    """An explicit Runge-Kutta method, with an embedded error estimate where the tableau has one.

    Parameters
    ----------
    tableau : ButcherTableau
    error_order : int, optional
        Order of the embedded solution that the estimate compares with; needed for adaptive steps.
    b_error_low : array, shape (s,), optional
        A second, lower-order estimate that damps the first, as DOP853 combines its 5th- and
        3rd-order estimates: ``e5**2 / sqrt(e5**2 + 0.01 e3**2)`` (Hairer, Norsett, Wanner, II.10).
    error_order_low : int, optional
        Order of the embedded solution behind ``b_error_low``.

    Raises
    ------
    AttnsError
        If the coefficients do not attain ``order`` (checked up to 5 here, all of it by
        :mod:`attns_core.order_conditions`), or the embedded weights not their orders.
    """

    tableau: ButcherTableau
    error_order: int | None = None
    b_error_low: Any = None
    error_order_low: int | None = None

    def __post_init__(self) -> None:
        AbstractMethod.__post_init__(self)
        if (self.tableau.b_error is None) != (self.error_order is None):
            raise AttnsError(f"method {self.name!r}: b_error and error_order come together")
        if (self.b_error_low is None) != (self.error_order_low is None):
            raise AttnsError(f"method {self.name!r}: b_error_low and error_order_low come together")
        if self.b_error_low is not None:
            low = np.array([float(Fraction(v)) for v in self.b_error_low])
            if low.shape != (self.tableau.stages,):
                raise AttnsError(f"method {self.name!r}: b_error_low has shape {low.shape}")
            low.setflags(write=False)
            object.__setattr__(self, "b_error_low", low)
        for part, weights, order in self.claims():
            violated = first_violated(self.tableau.a, weights, min(order, 5), 1e-13)
            if violated is not None:
                tree, residual = violated
                raise AttnsError(
                    f"method {self.name!r}: its {part} is declared of order {order}, but violates the condition "
                    f"of order {vertices(tree)} for the tree {tree} by {residual:.2g}"
                )

    def claims(self) -> list[tuple[str, Any, int]]:
        """What the coefficients claim: (which solution, its weights, its order)."""
        t = self.tableau
        claims: list[tuple[str, Any, int]] = [("solution", t.b, self.order)]
        if self.error_order is not None:
            claims.append(("embedded solution", t.b - t.b_error, self.error_order))
        if self.error_order_low is not None:
            claims.append(("lower embedded solution", t.b - self.b_error_low, self.error_order_low))
        return claims

    @property
    def error_power(self) -> int:
        """The error estimate scales as ``dt**error_power``.

        Raises
        ------
        AttnsError
            If there is no embedded solution.
        """
        if self.error_order is None:
            raise AttnsError(f"method {self.name!r} has no error estimate")
        if self.error_order_low is None:
            return self.error_order + 1
        return 2 * (self.error_order + 1) - (self.error_order_low + 1)

    @property
    def stages(self) -> int:
        return self.tableau.stages

    @property
    def is_adaptive(self) -> bool:
        return self.error_order is not None

    def identity(self) -> str:
        t = self.tableau
        return content_hash([t.a, t.b, t.c, t.b_error, self.b_error_low])


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Splitting(AbstractMethod):
    """A composition of drifts and kicks for separable systems ``q' = g(v), v' = f(q)``.

    One step is ``kick(b_1 dt) drift(a_1 dt) kick(b_2 dt) ... drift(a_s dt) kick(b_{s+1} dt)``; the
    components fall into the two sets by the sparsity of the traced Jacobian, so an equation need not
    declare anything. Right-hand sides that depend on time see the time of the drifts.

    Parameters
    ----------
    drift : array, shape (s,)
        Sums to 1.
    kick : array, shape (s + 1,)
        Sums to 1; a last entry equal to the first lets consecutive steps share an evaluation, which
        is not used here (every step stands alone, so that correctors can act between steps).
    """

    drift: Any = field(default=())
    kick: Any = field(default=())

    def __post_init__(self) -> None:
        AbstractMethod.__post_init__(self)
        drift = np.array(self.drift, dtype=np.float64)
        kick = np.array(self.kick, dtype=np.float64)
        if kick.size != drift.size + 1 or drift.size == 0:
            raise AttnsError(f"method {self.name!r}: {drift.size} drifts need {drift.size + 1} kicks, got {kick.size}")
        for name, value in (("drift", drift), ("kick", kick)):
            if abs(value.sum() - 1) > 1e-13:
                raise AttnsError(f"method {self.name!r}: {name} coefficients sum to {value.sum():.16g}, must be 1")
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def stages(self) -> int:
        """Evaluations of each half of the right-hand side per step, the larger of the two."""
        return int(max(np.count_nonzero(self.drift), np.count_nonzero(self.kick)))

    def identity(self) -> str:
        return content_hash([self.drift, self.kick])
