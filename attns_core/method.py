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
        ``runge-kutta``, ``symplectic``, ``stiff``, ``composed`` (of steps of another method), ...
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
            _check_order(self, part, order, first_violated(self.tableau.a, weights, min(order, 5), 1e-13))

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


def _check_order(method: AbstractMethod, part: str, order: int, violated: Any) -> None:
    if violated is not None:
        tree, residual = violated
        raise AttnsError(
            f"method {method.name!r}: its {part} is declared of order {order}, but violates the condition "
            f"of order {vertices(tree)} for the tree {tree} by {residual:.2g}"
        )


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Rosenbrock(AbstractMethod):
    r"""A linearly implicit Runge-Kutta method: one matrix, ``s`` linear systems per step, no iteration.

    With the Jacobian ``J = df/du`` and ``f_t = df/dt`` at the beginning of the step, the stages solve

    .. math::

        \Bigl(\frac{1}{\gamma\,dt} - J\Bigr) U_i = f\bigl(t + \alpha_i dt, u + \sum_{j<i} a_{ij} U_j\bigr)
            + \sum_{j<i} \frac{c_{ij}}{dt} U_j + \gamma_i\,dt\,f_t, \qquad
        S = \sum_i m_i U_i, \quad e = \sum_i e_i U_i

    (Hairer, Wanner, Solving Ordinary Differential Equations II, (IV.7.25)). The stages handed to
    correctors are ``k_i = U_i / dt``, so that ``S = dt sum m_i k_i`` as for explicit methods.

    Parameters
    ----------
    gamma : float
    a, c : array, shape (s, s)
        Strictly lower triangular. Rows may be given without their trailing zeros.
    m : array, shape (s,)
    e : array, shape (s,), optional
        Weights of the error estimate.
    error_order : int, optional
        Order of the embedded solution ``m - e``.

    Attributes
    ----------
    alpha, slope : array, shape (s,)
        ``alpha_i`` and ``gamma_i``; they follow from the coefficients above.
    """

    gamma: float
    a: Any
    c: Any
    m: Any
    e: Any = None
    error_order: int | None = None
    alpha: Any = field(init=False, repr=False)
    slope: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        AbstractMethod.__post_init__(self)
        if not (np.isfinite(self.gamma) and self.gamma > 0):
            raise AttnsError(f"method {self.name!r}: gamma must be a positive number, got {self.gamma!r}")
        if (self.e is None) != (self.error_order is None):
            raise AttnsError(f"method {self.name!r}: e and error_order come together")
        s = len(self.m)
        for name in ("a", "c"):
            object.__setattr__(self, name, _lower_triangle(self.name, name, getattr(self, name), s))
        for name in ("m", "e"):
            if getattr(self, name) is not None:
                value = np.array(getattr(self, name), dtype=np.float64)
                if value.shape != (s,):
                    raise AttnsError(f"method {self.name!r}: {name} has shape {value.shape}, expected {(s,)}")
                value.setflags(write=False)
                object.__setattr__(self, name, value)
        inner, gammas, b, b_error = self.classical()
        object.__setattr__(self, "alpha", inner.sum(axis=1))
        object.__setattr__(self, "slope", gammas.sum(axis=1))
        beta = inner + gammas
        # Published with 15 digits, which the transformation to classical form amplifies.
        _check_order(self, "solution", self.order, first_violated(inner, b, min(self.order, 5), 1e-11, beta))
        if self.error_order is not None:
            violated = first_violated(inner, b - b_error, min(self.error_order, 5), 1e-11, beta)
            _check_order(self, "embedded solution", self.error_order, violated)

    def classical(self) -> tuple[Any, Any, Any, Any]:
        """``(alpha_ij, gamma_ij, b_i, b_error_i)``: the untransformed coefficients."""
        gammas = np.linalg.inv(np.eye(self.stages) / self.gamma - self.c)
        return self.a @ gammas, gammas, self.m @ gammas, None if self.e is None else self.e @ gammas

    def stability(self, z: Any) -> Any:
        """Stability function ``R(z) = 1 + z b^T (I - z B)^-1 1`` with ``B = alpha + gamma``, elementwise.

        Not finite at its pole ``1 / gamma``.
        """
        inner, gammas, b, _ = self.classical()
        z = np.asarray(z, dtype=np.complex128)
        lower, k = inner + gammas, list[Any]()
        with np.errstate(divide="ignore", invalid="ignore"):
            for i in range(self.stages):
                k.append((1 + z * sum(lower[i, j] * k[j] for j in range(i))) / (1 - z * lower[i, i]))
            return 1 + z * sum(b[i] * k[i] for i in range(self.stages))

    @property
    def stages(self) -> int:
        return len(self.m)

    @property
    def evaluations(self) -> int:
        """Right-hand sides per step: stages without earlier ones in their argument share the first."""
        return 1 + int(np.count_nonzero((self.a != 0).any(axis=1)))

    @property
    def is_adaptive(self) -> bool:
        return self.error_order is not None

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
        return self.error_order + 1

    def identity(self) -> str:
        return content_hash([self.gamma, self.a, self.c, self.m, self.e])


def _lower_triangle(method: str, name: str, rows: Any, s: int) -> Any:
    matrix = np.zeros((s, s))
    if len(rows) != s:
        raise AttnsError(f"method {method!r}: {name} has {len(rows)} rows, there are {s} stages")
    for i, row in enumerate(rows):
        if len(row) > s:
            raise AttnsError(f"method {method!r}: row {i + 1} of {name} has {len(row)} entries, there are {s} stages")
        matrix[i, : len(row)] = row
    if np.any(np.triu(matrix) != 0):
        raise AttnsError(f"method {method!r}: {name} must be strictly lower triangular")
    matrix.setflags(write=False)
    return matrix


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
    nystrom : bool
        Whether the order holds for ``q' = M v`` only (second-order systems ``q'' = f(q)``), as for
        Runge-Kutta-Nystrom-type coefficients.
    """

    drift: Any = field(default=())
    kick: Any = field(default=())
    nystrom: bool = False

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


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ZeroIncrement(AbstractMethod):
    """The increment ``S = 0``: by itself the state stays, and a corrector on it learns the whole flow map.

    It turns the corrected step into direct regression of one state on another, at no cost of its own.
    """

    order: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Order 0 is what it has: nothing to check."""

    @property
    def stages(self) -> int:
        return 0

    def identity(self) -> str:
        return content_hash("zero increment")
