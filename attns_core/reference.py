"""Reference solutions: trusted states with their own measured uncertainty and valid time."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from attns_core.errors import AttnsError
from attns_core.identity import content_hash
from attns_core.problem import Problem
from attns_core.types import Array

BELIEVED = 1e-6
"""Gap up to which a reference counts as valid."""

LARGEST_DENSE = 16
"""Dimension up to which stiff equations are solved with dense matrices."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """The trusted solution of a problem.

    Parameters
    ----------
    t : array, shape (n_save,)
    u : array, shape (n_save, dim, n)
    gap : array, shape (n_save, n)
        Largest component of the difference of two independent integrators, relative to the scale of
        that component: the uncertainty at every saved time.
    valid_time : array, shape (n,)
        Last saved time up to which the gap stays below the bound for believing it; ``t[-1]`` where it
        always does. Metrics of a chaotic problem must not look beyond it.
    integrators : tuple of str
        What the two solutions came from, with tolerances; the first is ``u``.
    seconds : float
        Cost of making it.
    """

    t: Array
    u: Array
    gap: Array
    valid_time: Array
    integrators: tuple[str, str]
    seconds: float

    @property
    def uncertainty(self) -> float:
        """Largest gap within the valid time: no smaller error is believed."""
        inside = self.t[:, None] <= self.valid_time[None, :]
        value: Any = self.gap[inside].max()
        return float(value)


def make_reference(
    problem: Problem, *, cache: Path | None = None, rtol: float = 1e-13, believed: float = BELIEVED
) -> Reference:
    """Solve a problem twice, by independent integrators, and measure their disagreement.

    ========================  ==================================  =============================
    equation                  trusted solution                    held against
    ========================  ==================================  =============================
    has ``integrators``       the first of them                   the second
    has ``exact``             its closed form                     DOP853
    tag ``linear``            matrix exponential                  DOP853
    tag ``stiff``, small      extrapolated linearly implicit      LSODA
                              Euler, order 12
    branches (``where`` ...)  DOP853                              LSODA
    all others                Taylor series (heyoka)              DOP853
    ========================  ==================================  =============================

    Parameters
    ----------
    cache : path, optional
        Folder in which references are kept under the hash of what decides them; any number of
        processes may share it.
    rtol : float
        Aimed-at accuracy; the gap tells what was reached.
    believed : float
        Bound on the gap that ends the valid time.

    Raises
    ------
    AttnsError
        If ``rtol`` is not a positive number below 1e-3.
    """
    if not 0 < rtol < 1e-3:
        raise AttnsError(f"a reference needs 0 < rtol < 1e-3, got {rtol!r}")
    from attns_core import reference_store as store

    key = reference_id(problem, rtol, believed)
    if cache is not None:
        stored = store.load(Path(cache), key)
        if stored is not None:
            return stored
    start = time.perf_counter()
    u, other, integrators = _solve_twice(problem, rtol)
    gap = relative_gap(u, other)
    reference = Reference(
        t=np.array(problem.t_save),
        u=u,
        gap=gap,
        valid_time=_valid_time(problem.t_save, gap, believed),
        integrators=integrators,
        seconds=time.perf_counter() - start,
    )
    if cache is not None:
        store.save(Path(cache), key, reference)
    return reference


def reference_id(problem: Problem, rtol: float = 1e-13, believed: float = BELIEVED) -> str:
    """Hash of everything that decides a reference; the first entry counts revisions of this module."""
    return content_hash(
        [1, problem.equation.identity(), sorted(problem.equation.tags), problem.u0, problem.t_save, rtol, believed]
    )


def component_scale(u: Array) -> Array:
    """Size of each component over times and trajectories, shape ``(dim,)``.

    Never below 1e-10 of the largest, so that a component that is zero up to round-off is not measured
    against its own noise.
    """
    size = np.max(np.abs(u), axis=(0, 2), initial=0.0, where=np.isfinite(u))
    scale: Any = np.maximum(size, 1e-10 * size.max())
    return np.where(scale > 0, scale, 1.0)


def relative_gap(u: Array, other: Array) -> Array:
    """Largest component of ``|u - other|`` relative to its scale, shape (n_save, n); lost states give infinity."""
    with np.errstate(all="ignore"):
        gap = np.max(np.abs(u - other) / component_scale(u)[:, None], axis=1)
    return np.where(np.isfinite(gap), gap, np.inf)


def _valid_time(t: Array, gap: Array, believed: float) -> Array:
    broken = ~(gap <= believed)
    first = np.where(broken.any(axis=0), np.argmax(broken, axis=0), len(t))
    return t[np.maximum(first - 1, 0)]


def _solve_twice(problem: Problem, rtol: float) -> tuple[Array, Array, tuple[str, str]]:
    from attns_core.integrators import extrapolation, linear, multistep, runge_kutta, taylor
    from attns_core.tracing import trace

    equation = problem.equation
    if equation.integrators:
        (name, trusted), (other_name, other) = equation.integrators
        return trusted(problem, rtol), other(problem, rtol), (name, other_name)
    # On stiff grids (large dense matrices, moderate stiffness) explicit high orders are the faster ones.
    if "stiff" in equation.tags and equation.dim <= LARGEST_DENSE:
        u = extrapolation.integrate(problem, rtol)
        return (
            u,
            multistep.integrate(problem, rtol, component_scale(u)),
            (
                f"extrapolated linearly implicit Euler, rtol={rtol:g}",
                f"LSODA, rtol={rtol:g}",
            ),
        )
    second = f"DOP853, rtol={rtol:g}"
    if equation.exact is not None and (problem.t0 == equation.t0 or trace(equation).is_autonomous):
        u = np.stack([equation.exact(float(t - problem.t0), problem.u0, equation.p) for t in problem.t_save])
        return u, runge_kutta.integrate(problem, rtol), ("closed form", second)
    if "linear" in equation.tags:
        try:
            u = linear.integrate(problem, rtol)
            return u, runge_kutta.integrate(problem, rtol), ("matrix exponential", second)
        except linear.NotLinearError:
            pass  # time-dependent coefficients: as any other equation
    try:
        u = taylor.integrate(problem, rtol)
        return u, runge_kutta.integrate(problem, rtol), (f"Taylor series (heyoka), rtol={rtol:g}", second)
    except taylor.NotAnalyticError:
        u = runge_kutta.integrate(problem, rtol)
        return u, multistep.integrate(problem, rtol, component_scale(u)), (second, f"LSODA, rtol={rtol:g}")
