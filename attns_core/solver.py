"""Solvers: anything that maps a problem to a solution."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, final

from attns_core.backend import AbstractBackend, PreparedSolve
from attns_core.control import Adaptive, FixedStep, StepControl
from attns_core.corrector import TrainedCorrector
from attns_core.errors import AttnsError
from attns_core.method import AbstractMethod
from attns_core.problem import Problem
from attns_core.solution import Solution

DTYPES = ("float64", "float32")


class AbstractSolver(ABC):
    """The interface of everything in a comparison: ours, and black boxes such as SciPy's DOP853.

    Attributes
    ----------
    name : str
    tags : frozenset of str
        ``learned``, ``adaptive``, ``stiff``, a provider's name, ...
    """

    name: str
    tags: frozenset[str]

    @abstractmethod
    def supports(self, problem: Problem, control: StepControl) -> str | None:
        """None if the problem can be solved this way, else the reason why not."""

    @abstractmethod
    def prepare(self, problem: Problem, control: StepControl) -> PreparedSolve:
        """Untimed set-up and compilation; calling the result solves."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class OneStepSolver(AbstractSolver):
    """A method, optionally corrected, on a backend.

    Parameters
    ----------
    method : AbstractMethod
    backend : AbstractBackend
    corrector : TrainedCorrector, optional
    dtype : {"float64", "float32"}
    name : str, optional
        Default: the method's name.
    """

    method: AbstractMethod
    backend: AbstractBackend
    corrector: TrainedCorrector | None = None
    dtype: str = "float64"
    name: str = ""
    tags: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise AttnsError(f"dtype must be one of {DTYPES}, got {self.dtype!r}")
        if not self.name:
            object.__setattr__(self, "name", self.method.name)

    def supports(self, problem: Problem, control: StepControl) -> str | None:
        if isinstance(control, Adaptive):
            if not self.method.is_adaptive:
                return f"{self.method.name} has no embedded error estimate; give a fixed dt"
            if self.corrector is not None:
                return "correctors belong to one dt; adaptive steps cannot be corrected"
        return self.backend.supports(problem, self.method, control, self.corrector, self.dtype)

    def prepare(self, problem: Problem, control: StepControl) -> PreparedSolve:
        reason = self.supports(problem, control)
        if reason is not None:
            raise AttnsError(f"{self.name} on {problem.equation.name}: {reason}")
        if isinstance(control, FixedStep):
            problem.steps_per_save(control)
        corrector = self.corrector if self.corrector is not None and self.corrector.active else None
        return self.backend.prepare(problem, self.method, control, corrector, self.dtype)


def solve(
    problem: Problem,
    solver: AbstractSolver,
    *,
    dt: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    **options: Any,
) -> Solution:
    """Solve once: fixed steps with ``dt``, adaptive ones with ``rtol`` (and ``atol``, default ``rtol``).

    Raises
    ------
    AttnsError
        If neither or both are given, or the solver does not support the problem.
    """
    if (dt is None) == (rtol is None):
        raise AttnsError("give either dt (fixed steps) or rtol (adaptive steps)")
    control: StepControl
    if dt is not None:
        control = FixedStep(dt)
    else:
        assert rtol is not None
        control = Adaptive(rtol=rtol, atol=rtol if atol is None else atol, **options)
    return solver.prepare(problem, control)()
