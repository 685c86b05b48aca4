"""Metrics: what is measured on a solution. One small function each, registered like everything else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

from attns_core.citation import Citation
from attns_core.problem import Problem
from attns_core.reference import Reference
from attns_core.solution import Solution


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a metric sees: the problem, a solver's solution of it, and the trusted one."""

    problem: Problem
    solution: Solution
    reference: Reference


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Metric:
    """One measurement, yielding one or more columns of the result table.

    Parameters
    ----------
    name, title : str
    columns : mapping
        Column name -> its definition in words, with its unit.
    compute : callable
        ``compute(outcome)`` -> a finite number or None (does not apply) per column.
    citation : Citation, optional
        Source of the definition.
    """

    name: str
    title: str
    columns: Mapping[str, str]
    compute: Callable[[Outcome], Mapping[str, float | None]]
    citation: Citation | None = None
