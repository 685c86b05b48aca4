"""The exact flow over coarse steps, to round-off, for making training data.

:func:`numpy_flow` is what it is; :func:`compiled_flow` is the same in a kernel over blocks of trajectories.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from attns_core.citation import Citation
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.maths import numpy_maths
from attns_core.method import AbstractMethod, ExplicitRungeKutta
from attns_core.parameters import ParamView
from attns_core.types import Array

Flow: TypeAlias = Callable[[Array, Array, float, int], tuple[Array, Array]]
"""``flow(times, u, dt, substeps)``: steps of length ``dt`` from each of ``times``, the first from ``u`` (dim, n).

States before the steps and what the steps add, both (steps, dim, n).
"""

_LANES = 4096
_BLOCK = 32
_MOST_SUBSTEPS = 4096
_MOST_OPERATIONS = 2000
"""Operations of a right-hand side, sums counted once, up to which it is compiled for data; beyond, that takes long."""
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


def numpy_flow(equation: Equation) -> Flow:
    """The flow of an equation in plain NumPy, which every equation has."""

    def flow(times: Array, u: Array, dt: float, substeps: int) -> tuple[Array, Array]:
        states = np.empty((len(times), *u.shape))
        increments = np.empty_like(states)
        for i, t in enumerate(times):
            states[i], increments[i] = u, exact_increment(equation, t, u, dt, substeps)
            u = u + increments[i]
        return states, increments

    return flow


def compiled_flow(equation: Equation) -> Flow | None:
    """The same in a kernel, compiled before this returns; None for right-hand sides that are large or no formula."""
    from attns_core.backends.numba_record import recorded
    from attns_core.kernels.cache import load_kernel
    from attns_core.kernels.fixed import staged_coefficients
    from attns_core.kernels.form import ENTRY, Form
    from attns_core.kernels.graph import LANE
    from attns_core.kernels.increments import increments as increments_kernel
    from attns_core.kernels.sums import needed, sum_loops

    try:
        graph = recorded(equation)
    except AttnsError:
        return None
    if len(needed(graph, graph.outputs, sum_loops(graph, graph.outputs, LANE))) > _MOST_OPERATIONS:
        return None
    generated = increments_kernel(graph, Form(lanes=_BLOCK))
    kernel = load_kernel(generated.source, ENTRY)
    c = np.array(graph.evaluate(generated.parameters, equation.p.numeric().tolist()))
    t = dop853().tableau
    tables = staged_coefficients(t.a, t.b, t.c, t.needed)

    def flow(times: Array, u: Array, dt: float, substeps: int) -> tuple[Array, Array]:
        u = np.array(u, dtype=np.float64, order="C")
        states = np.empty((len(times), *u.shape))
        increments = np.empty_like(states)
        begins = np.array(times, dtype=np.float64)
        blocks = -(-u.shape[1] // _BLOCK)
        arguments = (u, states, increments, begins, substeps, dt / substeps, c, 0, blocks, *tables)
        kernel(*arguments)
        if generated.has_limits and np.isnan(increments[-1:]).any():
            # An argument outside a fast function's range: the C library's have none.
            load_kernel(increments_kernel(graph, Form(lanes=_BLOCK, exact=True)).source, ENTRY)(*arguments)
        return states, increments

    flow(np.zeros(0), np.zeros((equation.dim, 1)), 1.0, 1)
    return flow


def substeps_for(equation: Equation, t: float, u: Array, dt: float, *, start: int = 2, flow: Flow | None = None) -> int:
    """Sub-steps, ``start`` times a power of two, whose error over ``dt`` is round-off.

    The error is seen by halving: half the count may err by 256 times round-off, which an 8th-order
    method turns into round-off.

    Parameters
    ----------
    flow : callable, optional
        Default: :func:`numpy_flow`.

    Raises
    ------
    AttnsError
        If 4096 sub-steps do not suffice: the equation is too stiff at this step for explicit data.
    """
    probe = u[:, :: max(1, u.shape[1] // _PROBE)]
    count, times = start, np.array([t])
    flow = numpy_flow(equation) if flow is None else flow
    with np.errstate(all="ignore"):
        coarse = flow(times, probe, dt, count // 2)[1][0]
        while count <= _MOST_SUBSTEPS:
            fine = flow(times, probe, dt, count)[1][0]
            size = np.abs(probe).max(axis=1, keepdims=True) + np.abs(fine).max(axis=1, keepdims=True)
            if np.all(np.abs(fine - coarse) <= 256 * _ROUND_OFF * size):
                return count
            coarse, count = fine, 2 * count
    raise AttnsError(
        f"equation {equation.name!r}: {_MOST_SUBSTEPS} sub-steps of an explicit method do not reach round-off "
        f"over dt={dt:g}; it is too stiff here for explicit training data: choose a smaller dt"
    )
