"""The interface of executors."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from attns_harness.tasks import Report, Task


@final
@dataclass(frozen=True, slots=True)
class Activity:
    """What one worker does: a task's key and label (empty and ``idle`` for none), and since when."""

    worker: str
    key: str
    label: str
    since: float


class AbstractExecutor(ABC):
    """Runs tasks in processes that may be killed; every submitted task yields exactly one report."""

    @abstractmethod
    def submit(self, task: Task) -> None:
        """Queue a task."""

    @abstractmethod
    def poll(self, timeout_s: float) -> list[tuple[Task, Report]]:
        """Reports that have arrived, waiting up to ``timeout_s`` for the first."""

    @abstractmethod
    def activity(self) -> list[Activity]:
        """What the workers do now."""

    @abstractmethod
    def close(self) -> None:
        """Stop all workers now, with whatever they run."""
