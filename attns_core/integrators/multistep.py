"""LSODA: variable-order Adams and BDF formulas of the Fortran library ODEPACK, through SciPy."""

import warnings

import numpy as np

from attns_core.integrators.compiled import compiled_jacobian, compiled_rhs
from attns_core.problem import Problem
from attns_core.types import Array


def integrate(problem: Problem, rtol: float, scale: Array) -> Array:
    """States at the saved times.

    Parameters
    ----------
    rtol : float
        Relative tolerance; the absolute one is ``1e-4 rtol`` times ``scale``.
    scale : array, shape (dim,)
        Size of each component.
    """
    from scipy.integrate import ODEintWarning, odeint

    f, jacobian, p = compiled_rhs(problem.equation), compiled_jacobian(problem.equation), problem.equation.p.numeric()
    dim = problem.equation.dim
    tolerance = max(rtol, 1e-13)

    def rhs(t: float, u: Array) -> Array:
        du = np.empty(dim)
        f(t, np.ascontiguousarray(u), p, du)
        return du

    def slopes(t: float, u: Array) -> Array:
        flat = np.empty(dim * dim)
        jacobian(t, np.ascontiguousarray(u), p, flat)
        return flat.reshape(dim, dim)

    out = np.full((problem.t_save.size, *problem.u0.shape), np.nan)
    for lane in range(problem.n):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ODEintWarning)
            states, info = odeint(
                rhs,
                problem.u0[:, lane],
                problem.t_save,
                Dfun=slopes,
                tfirst=True,
                rtol=tolerance,
                # Small values trigger relaxation oscillations: they are kept relatively accurate, too.
                atol=1e-4 * tolerance * scale,
                mxstep=500_000,
                full_output=True,
            )
        if info["message"].startswith("Integration successful"):
            out[:, :, lane] = states
        else:
            out[0, :, lane] = problem.u0[:, lane]
    return out
