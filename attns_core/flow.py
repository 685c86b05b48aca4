"""The exact flow over one coarse step, to round-off, for making training data."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from attns_core.citation import Citation
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.maths import numpy_maths
from attns_core.method import AbstractMethod, ExplicitRungeKutta
from attns_core.parameters import ParamView
from attns_core.types import Array

_LANES = 4096
_MOST_SUBSTEPS = 4096
_PROBE = 64
_ROUND_OFF = 1e-15


@lru_cache(maxsize=1)
def dop853() -> ExplicitRungeKutta:
    """The 8th-order method of Dormand and Prince, from SciPy's coefficients."""
    from scipy.integrate import DOP853

    from attns_core.tableau import ButcherTableau

    s = DOP853.n_stages
    return ExplicitRungeKutta(
        name="dop853-data",
        title="Dormand-Prince 8 for training data",
        order=8,
        tableau=ButcherTableau(a=list(DOP853.A[:s, :s]), b=DOP853.B, c=DOP853.C[:s]),
        citation=Citation(
            key="hairer1993",
            authors="E. Hairer, S. P. Norsett, G. Wanner",
            title="Solving Ordinary Differential Equations I",
            where="Springer",
            year=1993,
        ),
    )


def step_increment(equation: Equation, method: AbstractMethod, t: Any, u: Array, dt: float) -> tuple[Array, Array]:
    """Increment ``S`` (dim, n) and stages ``k`` (stages, dim, n) of one step from states ``u`` at times ``t``.

    Parameters
    ----------
    t : float, or array, shape (n,)
    """
    from attns_core.backends.numpy_reference import increment
    from attns_core.problem import Problem

    step = increment(Problem(equation=equation, u0=u[:, :1], t_save=np.zeros(1)), method)
    n = u.shape[1]
    t = np.broadcast_to(np.asarray(t, dtype=np.float64), (n,))
    parts = [step(t[i : i + _LANES], u[:, i : i + _LANES], dt) for i in range(0, n, _LANES)]
    return np.concatenate([p[0] for p in parts], axis=1), np.concatenate([p[1] for p in parts], axis=2)


def right_hand_side(equation: Equation) -> Callable[[Any, Array], Array]:
    """``f(t, u)`` on arrays, with everything looked up once: the array form where there is one."""
    if equation.array_rhs is not None:
        return equation.evaluate_array
    p, m, rhs = ParamView(dict(equation.p)), numpy_maths(), equation.rhs

    def f(t: Any, u: Array) -> Array:
        out = np.empty_like(u)
        for i, value in enumerate(rhs(t, u, p, m)):
            out[i] = value
        return out

    return f


def exact_increment(equation: Equation, t: Any, u: Array, dt: float, substeps: int) -> Array:
    """``flow(u) - u`` over ``dt`` by DOP853 with ``substeps`` sub-steps, shape (dim, n).

    The increments are summed apart from the state, so the result carries round-off of its own size,
    not of the state's.
    """
    f, tableau, h = right_hand_side(equation), dop853().tableau, dt / substeps
    total = np.zeros_like(u)
    k = np.empty((tableau.stages, u.size))
    for j in range(substeps):
        start = u + total
        for i in range(tableau.stages):
            inner = h * (tableau.a[i, :i] @ k[:i]).reshape(u.shape)
            k[i] = f(t + (j + tableau.c[i]) * h, start + inner).ravel()
        total = total + h * (tableau.b @ k).reshape(u.shape)
    return total


def substeps_for(equation: Equation, t: float, u: Array, dt: float, *, start: int = 2) -> int:
    """Sub-steps, ``start`` times a power of two, whose error over ``dt`` is round-off.

    The error is seen by halving: half the count may err by 256 times round-off, which an 8th-order
    method turns into round-off.

    Raises
    ------
    AttnsError
        If 4096 sub-steps do not suffice: the equation is too stiff at this step for explicit data.
    """
    probe = u[:, :: max(1, u.shape[1] // _PROBE)]
    count = start
    with np.errstate(all="ignore"):
        coarse = exact_increment(equation, t, probe, dt, count // 2)
        while count <= _MOST_SUBSTEPS:
            fine = exact_increment(equation, t, probe, dt, count)
            size = np.abs(probe).max(axis=1, keepdims=True) + np.abs(fine).max(axis=1, keepdims=True)
            if np.all(np.abs(fine - coarse) <= 256 * _ROUND_OFF * size):
                return count
            coarse, count = fine, 2 * count
    raise AttnsError(
        f"equation {equation.name!r}: {_MOST_SUBSTEPS} sub-steps of an explicit method do not reach round-off "
        f"over dt={dt:g}; it is too stiff here for explicit training data: choose a smaller dt"
    )
