"""Levenberg-Marquardt on the error of a step, for weights of any structure.

Along each of its steps it adds the second-order term of Transtrum and Sethna (Phys. Rev. E 83, 036701, 2011): the
valleys of learned tableaus are narrow and bent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar, final

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from attns_core.types import Array

W = TypeVar("W")


class Linearised(Protocol):
    """Residuals and their derivatives ``J`` by the unknowns."""

    @property
    def residuals(self) -> Array: ...

    def square(self) -> Array:
        """``J.T @ J``."""
        ...

    def times(self, x: Array, /) -> Array:
        """``J @ x``."""
        ...

    def transposed(self, r: Array, /) -> Array:
        """``J.T @ r``."""
        ...


class Fitted(Protocol[W]):
    """A model of the steps of pairs with weights to be found: :class:`StepModel`, or one with queries."""

    @property
    def title(self) -> str:
        """What is being found, for messages."""
        ...

    def packed(self, weights: W, /) -> Array:
        """The unknowns in one vector."""
        ...

    def unpacked(self, x: Array, /) -> W:
        """The weights of :meth:`packed`."""
        ...

    def loss(self, weights: W, /) -> float:
        """Mean squared error of the step; infinite where it is not a number."""
        ...

    def residuals(self, weights: W, /) -> Array:
        """Errors of the steps, weighted, shape (dim, n)."""
        ...

    def linearised(self, weights: W, /) -> Linearised:
        """Residuals (n * dim,) and their derivatives by the unknowns."""
        ...


Report: TypeAlias = Callable[[str, float, float], None]
"""``report(what is being found, training loss, held-out loss)`` after each iteration."""

DAMPING = 1e-4
"""First damping, relative to the diagonal of the normal equations."""
_LEAST_DAMPING = 1e-16
_SOFTER, _HARDER = 10.0, 2.0
"""What damping is divided by after a step that was taken, and multiplied by after one that was not."""
_TRIES = 20
_PROBE = 0.1
"""Fraction of a step over which the residuals' second derivative along it is measured."""
_MOST_BENT = 0.375
"""Largest second-order term, as a fraction of the step, that is added to it."""


@final
@dataclass(frozen=True)
class Improved(Generic[W]):
    """Where Levenberg-Marquardt ended: the weights of least error, the damping, whether the keyboard ended it."""

    weights: W
    damping: float
    interrupted: bool


def improved(
    model: Fitted[W],
    check: Fitted[W],
    weights: W,
    *,
    iterations: int,
    damping: float = DAMPING,
    report: Report | None = None,
) -> Improved[W]:
    """Levenberg-Marquardt from ``weights``: those of least error on ``check``.

    It ends after ``iterations``, or when no damping makes a step worth taking.
    """
    x = model.packed(weights)
    weights = model.unpacked(x)
    loss = model.loss(weights)
    best, least, interrupted = weights, check.loss(weights), False
    try:
        for _ in range(iterations):
            found = _step(model, x, loss, damping)
            if found is None:
                break
            x, loss, damping = found
            damping = max(damping / _SOFTER, _LEAST_DAMPING)
            weights = model.unpacked(x)
            held_out = check.loss(weights)
            if held_out < least:
                best, least = weights, held_out
            if report is not None:
                report(model.title, loss, held_out)
    except KeyboardInterrupt:
        interrupted = True
    return Improved(best, damping, interrupted)


def _step(model: Fitted[W], x: Array, loss: float, damping: float) -> tuple[Array, float, float] | None:
    """Weights of less loss, that loss, and the damping that led there; None if no damping does."""

    def residuals(x: Array) -> Array:
        return model.residuals(model.unpacked(x)).T.ravel()

    J = model.linearised(model.unpacked(x))
    r = J.residuals
    square, gradient = J.square(), J.transposed(r)
    size = np.diag(square)
    for _ in range(_TRIES):
        try:
            factor = cho_factor(square + np.diag(damping * size + 1e-16 * size.max()))
        except np.linalg.LinAlgError:
            damping *= _HARDER
            continue
        first = -cho_solve(factor, gradient)
        with np.errstate(all="ignore"):
            bend = 2 / _PROBE * ((residuals(x + _PROBE * first) - r) / _PROBE - J.times(first))
            second = -cho_solve(factor, J.transposed(bend), check_finite=False) / 2
            share = np.linalg.norm(np.sqrt(size) * second) / np.linalg.norm(np.sqrt(size) * first)
        new = x + first + (second if share < _MOST_BENT else 0.0)
        after = model.loss(model.unpacked(new))
        if after < loss:
            return new, after, damping
        damping *= _HARDER
    return None
