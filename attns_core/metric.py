"""Metrics: what is measured on a solution. One small function each, registered like everything else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from attns_core.citation import Citation
from attns_core.problem import Problem
from attns_core.reference import Reference
from attns_core.solution import Solution
from attns_core.types import Array

EXPLOSION_FACTOR = 10.0
"""A trajectory is lost beyond this multiple of the reference's largest component-scaled value."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a metric sees: the problem, a solver's solution of it, and the trusted one.

    The properties below are the shared definitions, so that every metric means the same by
    "diverged", "valid" and "scale". The initial time is never counted: its error is zero by
    construction and would only dilute means.
    """

    problem: Problem
    solution: Solution
    reference: Reference

    @cached_property
    def error(self) -> Array:
        """Solution minus reference after the initial time, shape ``(n_save - 1, dim, n)``, float64."""
        with np.errstate(all="ignore"):
            return self.solution.u[1:].astype(np.float64) - self.reference.u[1:]

    @cached_property
    def valid(self) -> Any:
        """Saved times at which the reference is believed, shape ``(n_save - 1, n)``, bool."""
        return self.reference.t[1:, None] <= self.reference.valid_time[None, :]

    @cached_property
    def scale(self) -> Array:
        """Size of each component: RMS of the reference over times and trajectories, shape ``(dim,)``.

        A component that is zero throughout gets the size of the largest one (1 if all are zero).
        """
        size = np.sqrt(np.mean(self.reference.u**2, axis=(0, 2)))
        largest = float(size.max())
        return np.where(size > 0, size, largest if largest > 0 else 1.0)

    @cached_property
    def lost(self) -> Any:
        """From which saved time a trajectory counts as exploded, shape ``(n_save, n)``, bool.

        Lost means a non-finite state, or a component whose size, divided by its scale, exceeds
        ``EXPLOSION_FACTOR`` times the largest such value of the reference. Once lost, lost for good.
        """
        scale = self.scale[:, None]
        bound = EXPLOSION_FACTOR * float(np.max(np.abs(self.reference.u) / scale))
        with np.errstate(all="ignore"):
            size = np.abs(self.solution.u.astype(np.float64)) / scale
        # A NaN compares false, so it is not "within".
        within = (size <= bound).all(axis=1)
        return np.logical_or.accumulate(~within, axis=0)

    @cached_property
    def diverged(self) -> Any:
        """Which trajectories are lost by the end of the time span, shape ``(n,)``, bool."""
        return self.lost[-1]


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
