"""Backends: what executes a method, with or without a corrector."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

from attns_core.control import StepControl
from attns_core.corrector_sequence import Correction
from attns_core.method import AbstractMethod
from attns_core.problem import Problem
from attns_core.solution import Solution

PreparedSolve: TypeAlias = Callable[[], Solution]
"""Everything is set up and compiled; calling it solves, any number of times, with equal results."""


class AbstractBackend(ABC):
    """Executes one-step methods. Results of every backend are held to ``numpy``'s.

    Attributes
    ----------
    name : str
        As used in matrices: ``numpy``, ``numba``, ``torch-cpu``, ``torch-cuda``.
    """

    name: str

    @abstractmethod
    def supports(
        self,
        problem: Problem,
        method: AbstractMethod,
        control: StepControl,
        corrector: Correction | None,
        dtype: str,
    ) -> str | None:
        """None if this can be run, else the reason why not, for people to read."""

    @abstractmethod
    def prepare(
        self,
        problem: Problem,
        method: AbstractMethod,
        control: StepControl,
        corrector: Correction | None,
        dtype: str,
    ) -> PreparedSolve:
        """Set up and compile; the returned callable is what timings measure.

        The returned solution has completed: a device is synchronised before the call returns.
        """

    def options(self) -> dict[str, Any]:
        """Settings that change results or speed, recorded with every row (threads, fast-math)."""
        return {}
