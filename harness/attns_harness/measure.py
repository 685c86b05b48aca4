"""Measuring a solution: every registered metric, and the state that follows from them."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from attns_core.errors import AttnsError
from attns_core.metric import Metric
from attns_core.metric import Outcome as Measured
from attns_core.problem import Problem
from attns_core.reference import Reference
from attns_core.solution import Solution
from attns_harness.outcome import Outcome


def measure(problem: Problem, solution: Solution, reference: Reference, metrics: Iterable[Metric]) -> Outcome:
    """Columns of all metrics and counters, and ``ok`` or ``diverged``.

    A metric that is not finite is stored as empty; one that raises is the cell's error.
    """
    measured = Measured(problem=problem, solution=solution, reference=reference)
    columns: dict[str, Any] = {}
    for metric in metrics:
        try:
            with np.errstate(all="ignore"):
                values = metric.compute(measured)
        except Exception as error:
            raise AttnsError(f"metric {metric.name!r} raised {type(error).__name__}: {error}") from error
        for name, value in values.items():
            columns[name] = _finite(value)
    columns |= {
        "nfe": _mean(solution.nfe),
        "n_steps": _mean(solution.n_steps),
        "n_rejected": _mean(solution.n_rejected),
        "n_corrector": _mean(solution.n_corrector),
        "reference_uncertainty": _finite(reference.uncertainty),
    }
    lost = columns.get("diverged_fraction")
    if lost is None:
        lost = 1 - float(np.mean(solution.finite))
    if lost > 0:
        when = columns.get("divergence_time")
        reason = f"{lost:.0%} of trajectories" + (f", first after t={when:.4g}" if when is not None else "")
        return Outcome(state="diverged", reason=f"{reason}; {solution.message}".rstrip("; "), columns=columns)
    return Outcome(state="ok", columns=columns)


def _mean(counts: Any) -> float | None:
    """Per trajectory, averaged over the ensemble; None where the solver does not count."""
    return None if np.any(np.asarray(counts) < 0) else float(np.mean(counts))


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
