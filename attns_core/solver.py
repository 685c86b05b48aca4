"""Solvers: anything that maps a problem to a solution."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, final

from attns_core.backend import AbstractBackend, PreparedSolve
from attns_core.control import Adaptive, FixedStep, FrozenSteps, Prescribed, StepControl, StepsPerSave
from attns_core.corrector_sequence import Correction, CorrectorSequence
from attns_core.errors import AttnsError
from attns_core.method import AbstractMethod
from attns_core.problem import Problem
from attns_core.solution import Solution
from attns_core.step_sequence import step_sequence, why_not_prescribed

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

    @property
    def trainable(self) -> bool:
        """Whether it has to learn before it solves."""
        return False

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
    corrector : TrainedCorrector or CorrectorSequence, optional
    dtype : {"float64", "float32"}
    name : str, optional
        Default: the method's name.
    """

    method: AbstractMethod
    backend: AbstractBackend
    corrector: Correction | None = None
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
        else:
            reason = self._why_not_prescribed(problem, control)
            if reason is not None:
                return reason
        return self.backend.supports(problem, self.method, control, self.corrector, self.dtype)

    def _why_not_prescribed(self, problem: Problem, control: Prescribed) -> str | None:
        reason = why_not_prescribed(problem, self.method, control)
        if reason is not None or self.corrector is None:
            return reason
        if not isinstance(self.corrector, CorrectorSequence):
            if isinstance(control, FixedStep):
                return None
            return "a corrector belongs to one dt; steps of other lengths take a sequence of correctors"
        if isinstance(control, FrozenSteps):
            return "correctors belong to the steps they were trained for; frozen ones cannot be corrected"
        steps = step_sequence(problem, self.method, control)
        return self.corrector.why_not(steps.starts, steps.lengths)

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
    steps: int | None = None,
    frozen: float | None = None,
    refine: float = 1.0,
    **options: Any,
) -> Solution:
    """Solve once, with one of four ways to choose steps.

    Parameters
    ----------
    dt : float
        Fixed steps.
    rtol, atol : float
        Adaptive steps; ``atol`` defaults to ``rtol``.
    steps : int
        Steps per saving interval, whatever its length.
    frozen, refine : float
        The steps that an adaptive pilot run with tolerance ``frozen`` takes, shared by all; see
        :class:`attns_core.control.FrozenSteps`.

    Raises
    ------
    AttnsError
        If none or several are given, or the solver does not support the problem.
    """
    given = [value is not None for value in (dt, rtol, steps, frozen)]
    if sum(given) != 1:
        raise AttnsError("give either dt (fixed steps), rtol (adaptive steps), steps (per saving interval) or frozen")
    control: StepControl
    if dt is not None:
        control = FixedStep(dt)
    elif steps is not None:
        control = StepsPerSave(steps)
    elif frozen is not None:
        control = FrozenSteps(rtol=frozen, atol=frozen if atol is None else atol, refine=refine)
    else:
        assert rtol is not None
        control = Adaptive(rtol=rtol, atol=rtol if atol is None else atol, **options)
    return solver.prepare(problem, control)()
