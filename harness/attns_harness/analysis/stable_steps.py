"""Stability of the solvers of a run: intervals of absolute stability, and the largest stable step of each equation."""

from functools import lru_cache
from typing import Any

import numpy as np

from attns_core.control import FixedStep
from attns_core.errors import AttnsError
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Rosenbrock
from attns_core.problem import Problem
from attns_core.reference import make_reference
from attns_core.solver import OneStepSolver
from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.stability import imaginary_interval, interval_length, largest_stable_step, real_interval

INTERVALS = ["solver", "real_interval", "imaginary_interval", "from"]
MOST_STEPS = 1 << 10
"""Steps per saving interval at which the search for a stable one gives up."""
STEPS = ["problem", "series", "stable_dt", "unstable_dt", "largest_stable_dt"]


def stability_function(method: AbstractMethod) -> Any:
    """``R(z)`` of a method that has it in closed form; None for the others."""
    match method:
        case ExplicitRungeKutta():
            return method.tableau.stability
        case Rosenbrock():
            return method.stability
    return None


def stability_intervals(table: Frame, registry: Any) -> Frame:
    """Stable parts of the negative real and the imaginary axis of every method of a table.

    From the stability function where a method has one, else from single steps on ``u' = z u``, as
    ``attns stability NAME`` measures them for anything, black boxes included. Infinite: unbounded.
    Missing: the method does not apply to that equation, or has only adaptive steps.
    """
    if registry is None:
        return pd.DataFrame(columns=INTERVALS)
    fixed = set(table.loc[table["dt"].notna(), "method"]) & set(registry.names("method"))
    rows = []
    for name in sorted(fixed):
        real, imaginary, source = _intervals(registry.method(name), registry.backend("numpy"))
        rows.append(dict(zip(INTERVALS, (name, real, imaginary, source), strict=True)))
    return pd.DataFrame(rows, columns=INTERVALS)


@lru_cache(maxsize=64)
def _intervals(method: AbstractMethod, backend: Any) -> tuple[float, float, str]:
    function = stability_function(method)
    if function is not None:
        return (
            interval_length(lambda r: float(np.abs(function(complex(-r, 0.0))))),
            interval_length(lambda r: float(np.abs(function(complex(0.0, r))))),
            "its stability function",
        )
    solver = OneStepSolver(method=method, backend=backend)
    try:
        return real_interval(solver), imaginary_interval(solver), "single steps"
    except AttnsError as error:
        return float("nan"), float("nan"), str(error)


def stable_steps(table: Frame, *, registry: Any = None, trajectories: int = 0) -> Frame:
    """Largest step of every classical fixed-step series on every problem at which no trajectory diverged.

    Parameters
    ----------
    table : DataFrame
        Prepared result rows.
    trajectories : int
        With a registry: find the largest stable step by bisection too, for that many trajectories of
        the equation with its default parameters (``attns stability NAME --equation ...``).

    Returns
    -------
    DataFrame
        ``stable_dt``: the largest step of the run such that it and all smaller ones have no diverged
        trajectory; ``unstable_dt``: the smallest with one. Missing where the run has none.
    """
    rows, references = [], {}
    solved = table[table["state"].isin(("ok", "diverged")) & table["dt"].notna() & ~table["learned"]]
    for (problem, name), cells in solved.groupby(["problem", "series"]):
        lost = cells.groupby("dt")["diverged_fraction"].max().fillna(0.0) > 0
        unstable = lost.index[lost].min() if lost.any() else np.nan
        stable = [dt for dt in lost.index[~lost] if not dt >= unstable]
        first, largest = cells.iloc[0], np.nan
        if registry is not None and trajectories and first["method"] and not first["params"]:
            t_end = float(first["t_end"])
            largest = _bisected(registry, first["method"], first["equation"], t_end, trajectories, references)
        rows.append((problem, name, max(stable, default=np.nan), unstable, largest))
    return pd.DataFrame(rows, columns=STEPS)


def _bisected(registry: Any, method: str, equation: str, t_end: float, n: int, references: dict[Any, Any]) -> float:
    problem = Problem.sample(registry.equation(equation), n=n, t_end=t_end)
    if (equation, t_end) not in references:
        references[equation, t_end] = make_reference(problem)
    solver = registry.solver(method, backend="numpy")
    if solver.supports(problem, FixedStep(float(np.diff(problem.t_save).min()))) is not None:
        return np.nan
    found = largest_stable_step(problem, solver, references[equation, t_end], most_steps=MOST_STEPS)
    return np.nan if found is None else found
