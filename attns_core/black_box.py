"""Black-box solvers: anything that maps a problem to states, registered by a decorator.

The simplest one is a function::

    @black_box(name="my-euler", control="fixed")
    def my_euler(problem, control):
        f, u = problem.rhs("numpy"), problem.u0.copy()
        states = [u]
        for t, n in zip(problem.t_save, problem.steps_per_save(control)):
            for i in range(n):
                u = u + control.dt * f(t + i * control.dt, u)
            states.append(u)
        return states

A class with a method ``solve(problem, control)`` or ``prepare(problem, control)`` (which returns the
function that solves, so that set-up and compilation are not timed) is decorated the same way. It may
have ``supports(problem, control)``, which returns None or the reason why not, and
``train(problem, control, *, seed)``, which returns a new object of the class that has learned; its
attributes are what is stored (:mod:`attns_core.learned_state`).
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Literal, final

import numpy as np

from attns_core.backend import PreparedSolve
from attns_core.citation import Citation
from attns_core.control import Adaptive, FixedStep, FrozenSteps, StepControl, StepsPerSave
from attns_core.errors import AttnsError
from attns_core.problem import Problem
from attns_core.solution import Solution
from attns_core.solver import AbstractSolver

NOT_COUNTED = -1
"""The value of a counter that a solver does not keep; tables show it as empty."""

_COUNTERS = ("n_steps", "nfe", "n_corrector", "n_rejected")


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class BlackBoxSolver(AbstractSolver):
    """A solver around any object; made by :func:`black_box`.

    Parameters
    ----------
    name : str
    implementation : object
        Has ``solve`` or ``prepare``, and optionally ``supports`` and ``train``; or is a function.
    control : {"fixed", "adaptive", "any"}
        What it understands: a step ``dt``, a tolerance ``rtol``, or both.
    per_trajectory : bool
        Called once per trajectory with a problem of one, and returns ``(n_save, dim)``.
    tags : frozenset of str
    title : str
    citation : Citation, optional
    expected_failures : mapping
        Conformance check -> the reason why it cannot pass.
    place : (str, str), optional
        Module and qualified name where a decorated function or class is found, for pickling.

    Notes
    -----
    The implementation is not called for a time span of length zero, nor for trajectories whose initial
    state is not finite: the first is the initial state, the others stay what they are.
    """

    name: str
    implementation: Any
    control: Literal["fixed", "adaptive", "any"] = "any"
    per_trajectory: bool = False
    tags: frozenset[str] = frozenset()
    title: str = ""
    citation: Citation | None = None
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    place: tuple[str, str] | None = field(default=None, repr=False)

    def supports(self, problem: Problem, control: StepControl) -> str | None:
        if self.control == "fixed" and isinstance(control, Adaptive):
            return f"{self.name} takes fixed steps; give dt"
        if self.control == "adaptive" and isinstance(control, FixedStep):
            return f"{self.name} chooses its own steps; give rtol"
        if isinstance(control, StepsPerSave | FrozenSteps):
            return f"{self.name} takes one dt or a tolerance, no step sequences"
        supports = getattr(self.implementation, "supports", None)
        return None if supports is None else supports(problem, control)

    def prepare(self, problem: Problem, control: StepControl) -> PreparedSolve:
        reason = self.supports(problem, control)
        if reason is not None:
            raise AttnsError(f"{self.name} on {problem.equation.name}: {reason}")
        sound = np.isfinite(problem.u0).all(axis=0)
        if problem.t_save.size == 1 or not sound.any():
            return lambda: _unsolved(problem)
        solved = problem if sound.all() else replace(problem, u0=problem.u0[:, sound])
        parts = _single(solved) if self.per_trajectory else [solved]
        runs = [self._prepare(part, control) for part in parts]

        def run() -> Solution:
            # Overflow on the way to infinity is what diverging means, and no news.
            with np.errstate(all="ignore"):
                results = [call() for call in runs]
            solution = _joined(self.name, solved, parts, results)
            return solution if sound.all() else _with_lost(problem, sound, solution)

        return run

    @property
    def trainable(self) -> bool:
        """Whether it has a ``train`` method."""
        return callable(getattr(self.implementation, "train", None))

    def train(self, problem: Problem, control: StepControl, *, seed: int = 0) -> "BlackBoxSolver":
        """The same solver, trained: its ``train(problem, control, seed=...)`` returns a new implementation.

        ``problem`` holds the training trajectories' initial states and saving times; what the solver
        wants to know of them it computes itself, and pays for.

        Raises
        ------
        AttnsError
            It does not learn, or returned something else than a new object of its class.
        """
        if not self.trainable:
            raise AttnsError(f"{self.name} has nothing to train: its implementation has no method train")
        learned = self.implementation.train(problem, control, seed=seed)
        if type(learned) is not type(self.implementation) or learned is self.implementation:
            raise AttnsError(
                f"solver {self.name!r}: train() must return a new {type(self.implementation).__name__} that has "
                f"learned, got {'itself' if learned is self.implementation else type(learned).__name__}"
            )
        return replace(self, implementation=learned)

    def _prepare(self, problem: Problem, control: StepControl) -> Callable[[], Any]:
        prepare = getattr(self.implementation, "prepare", None)
        if prepare is not None:
            return prepare(problem, control)
        solve = getattr(self.implementation, "solve", self.implementation)
        return lambda: solve(problem, control)

    def __reduce__(self) -> Any:
        # What was decorated is found under its own name as this solver, not as the function or class.
        origin = _found(self.place)
        if origin is self:
            return (_find, self.place)
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        if origin is not None and type(self.implementation) is type(origin.implementation):
            same = self.implementation is origin.implementation
            state = None if same else dict(self.implementation.__dict__)
            return (_rebuild, (fields | {"implementation": None}, self.place, state))
        return (_rebuild, (fields, None, None))


def black_box(
    *,
    name: str,
    control: Literal["fixed", "adaptive", "any"] = "any",
    per_trajectory: bool = False,
    tags: Iterable[str] = (),
    title: str = "",
    citation: Citation | None = None,
    expected_failures: Mapping[str, str] | None = None,
) -> Callable[[Any], BlackBoxSolver]:
    """Make a registrable solver of a function ``(problem, control) -> states`` or of a class.

    The result is an array ``(n_save, dim, n)`` (or what converts to it), or a
    :class:`~attns_core.solution.Solution` where there are counters to report. A class is called
    without arguments.

    Raises
    ------
    AttnsError
        If what is decorated has neither ``solve`` nor ``prepare`` and is not a function.
    """

    def decorate(target: Any) -> BlackBoxSolver:
        implementation = target() if isinstance(target, type) else target
        if not (callable(implementation) or hasattr(implementation, "solve") or hasattr(implementation, "prepare")):
            raise AttnsError(f"black box {name!r}: give a function, or a class with a method solve or prepare")
        return BlackBoxSolver(
            name=name,
            implementation=implementation,
            control=control,
            per_trajectory=per_trajectory,
            tags=frozenset(tags),
            title=title or (target.__doc__ or name).strip().splitlines()[0],
            citation=citation,
            expected_failures=dict(expected_failures or {}),
            place=(target.__module__, target.__qualname__) if hasattr(target, "__qualname__") else None,
        )

    return decorate


def _single(problem: Problem) -> list[Problem]:
    return [replace(problem, u0=problem.u0[:, i : i + 1]) for i in range(problem.n)]


def _unsolved(problem: Problem) -> Solution:
    """The initial state for ever: of a time span of length zero, or of no finite trajectory at all."""
    u = np.full((problem.t_save.size, *problem.u0.shape), np.nan)
    u[0] = problem.u0
    return Solution(t=problem.t_save, u=u, n_steps=0, nfe=0)


def _with_lost(problem: Problem, sound: Any, solution: Solution) -> Solution:
    """Put the trajectories that were not solved back where they belong."""
    u = np.full((problem.t_save.size, *problem.u0.shape), np.nan, dtype=solution.u.dtype)
    u[:, :, sound] = solution.u
    u[0] = problem.u0
    counters: dict[str, Any] = {}
    for key in _COUNTERS:
        counters[key] = np.zeros(problem.n, dtype=np.int64)
        counters[key][sound] = getattr(solution, key)
    return replace(solution, u=u, **counters)


def _joined(name: str, problem: Problem, parts: list[Problem], results: list[Any]) -> Solution:
    solutions = [_as_solution(name, part, result) for part, result in zip(parts, results, strict=True)]
    if len(solutions) == 1:
        return solutions[0]
    counters = {key: np.concatenate([getattr(s, key) for s in solutions]) for key in _COUNTERS}
    messages = {s.message: None for s in solutions if s.message}
    return Solution(
        t=problem.t_save,
        u=np.concatenate([s.u for s in solutions], axis=2),
        message="; ".join(messages),
        extra=solutions[0].extra,
        **counters,
    )


def _as_solution(name: str, problem: Problem, result: Any) -> Solution:
    expected = (problem.t_save.size, problem.equation.dim, problem.n)
    solution = (
        result
        if isinstance(result, Solution)
        else Solution(t=problem.t_save, u=_states(name, result, expected), n_steps=NOT_COUNTED, nfe=NOT_COUNTED)
    )
    if solution.u.shape != expected:
        raise AttnsError(
            f"solver {name!r} returned states of shape {solution.u.shape}, expected (n_save, dim, n) = {expected}"
        )
    if not np.array_equal(solution.t, problem.t_save):
        raise AttnsError(f"solver {name!r} returned other times than it was asked for (problem.t_save)")
    return solution


def _states(name: str, result: Any, expected: tuple[int, int, int]) -> Any:
    try:
        states = np.asarray(result)
    except ValueError:
        raise AttnsError(f"solver {name!r} returned rows of unequal shape, expected {expected}") from None
    if states.shape == expected[:2] and expected[2] == 1:
        states = states[:, :, None]
    if states.dtype not in (np.float64, np.float32):
        raise AttnsError(f"solver {name!r} returned {states.dtype}, expected float64 or float32 states")
    return states


def _found(place: tuple[str, str] | None) -> BlackBoxSolver | None:
    try:
        found = _find(*place) if place else None
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, BlackBoxSolver) else None


def _find(module: str, qualname: str) -> Any:
    return attrgetter(qualname)(importlib.import_module(module))


def _rebuild(fields: dict[str, Any], place: tuple[str, str] | None, state: dict[str, Any] | None) -> BlackBoxSolver:
    """``state`` is that of an implementation of the class found at ``place``; None for the one found there."""
    if place is not None:
        implementation: Any = _find(*place).implementation
        if state is not None:
            implementation = object.__new__(type(implementation))
            implementation.__dict__.update(state)
        fields["implementation"] = implementation
    return BlackBoxSolver(**fields)
