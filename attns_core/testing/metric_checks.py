"""What every metric is held to: its declared columns, finite or empty, whatever became of the solution."""

import math
from dataclasses import replace

import numpy as np

from attns_core.metric import Metric, Outcome
from attns_core.problem import Problem
from attns_core.reference import Reference
from attns_core.solution import Solution
from attns_core.testing import problems
from attns_core.testing.kit import Context, check, require
from attns_core.types import Array


def _outcome(problem: Problem, u: Array) -> Outcome:
    exact = problems.exact_states(problem)
    reference = Reference(
        t=problem.t_save,
        u=exact,
        gap=np.full((problem.t_save.size, problem.n), 1e-14),
        valid_time=np.full(problem.n, problem.t_end),
        integrators=("closed form", "closed form"),
        seconds=0.0,
    )
    return Outcome(problem=problem, solution=Solution(t=problem.t_save, u=u, n_steps=1, nfe=1), reference=reference)


def _outcomes() -> dict[str, Outcome]:
    problem = problems.oscillator(n=4)
    exact = problems.exact_states(problem)
    noisy = exact * (1 + 1e-4 * np.random.default_rng(2).standard_normal(exact.shape))
    partly, lost, huge = noisy.copy(), noisy.copy(), noisy.copy()
    partly[3:, :, 0] = np.nan
    lost[1:] = np.nan
    huge[2:] *= 1e200
    single = Problem(equation=problem.equation, u0=problem.u0[:, :1], t_save=problem.t_save)
    short = Problem(equation=problem.equation, u0=problem.u0, t_save=problem.t_save[:1])
    return {
        "a perfect solution": _outcome(problem, exact.copy()),
        "a good solution": _outcome(problem, noisy),
        "one lost trajectory": _outcome(problem, partly),
        "all lost": _outcome(problem, lost),
        "huge states": _outcome(problem, huge),
        "one trajectory": _outcome(single, noisy[:, :, :1]),
        "float32 states": _outcome(problem, noisy.astype(np.float32)),
        "only the initial time": _outcome(short, exact[:1]),
    }


@check("metric")
def check_metadata(metric: Metric, context: Context) -> None:
    """Title and a definition per column are given; column names are plain."""
    require(metric.title.strip(), "title is empty")
    require(metric.columns, "it declares no columns")
    for column, definition in metric.columns.items():
        require(column.isidentifier() and column == column.lower(), f"{column!r} is not a plain lower-case name")
        require(definition.strip(), f"column {column!r} has no definition")


@check("metric")
def check_columns(metric: Metric, context: Context) -> None:
    """It yields exactly its columns, each a finite number or None, whatever the solution looks like."""
    for what, outcome in _outcomes().items():
        values = metric.compute(outcome)
        require(set(values) == set(metric.columns), f"for {what} it yields {sorted(values)}")
        for column, value in values.items():
            require(value is None or math.isfinite(value), f"for {what}, {column} is {value}: use None")


@check("metric")
def check_purity(metric: Metric, context: Context) -> None:
    """It leaves the solution and the reference alone and gives the same value again."""
    for outcome in _outcomes().values():
        u, reference = outcome.solution.u.copy(), outcome.reference.u.copy()
        first = metric.compute(outcome)
        require(np.array_equal(u, outcome.solution.u, equal_nan=True), "it changed the solution")
        require(np.array_equal(reference, outcome.reference.u), "it changed the reference")
        require(metric.compute(replace(outcome)) == first, "it gives another value the second time")
