"""Tasks: what a coordinator sends to a worker, and the report that comes back. Both are plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, final

from attns_harness.cells import Cell
from attns_harness.matrix import Timing
from attns_harness.outcome import Outcome

Kind: TypeAlias = Literal["reference", "weights", "accuracy", "timing", "trajectory"]


@final
@dataclass(frozen=True, kw_only=True)
class Task:
    """One piece of work.

    Parameters
    ----------
    key : str
        Unique among the tasks of a run: kind and artefact id or point.
    needs : mapping
        Artefact id -> its files with their SHA-256; verified before use.
    """

    key: str
    kind: Kind
    label: str
    cell: Cell
    deadline_s: float
    artefact: str = ""
    needs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    timing: Timing | None = None

    @property
    def group(self) -> tuple[str, ...]:
        return self.cell.group


@final
@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of a task.

    Parameters
    ----------
    files : mapping
        Files of the artefact that was built, relative to the artefact folder, with their SHA-256.
    blobs : mapping
        Their contents, where worker and coordinator share no file system.
    environment : mapping
        Software and hardware of the worker, where they may differ from the coordinator's.
    """

    outcome: Outcome
    files: Mapping[str, str] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """What a worker process must know: the same for all tasks of a run.

    Parameters
    ----------
    artefacts : Path
        Folder of the shared artefacts.
    memory_mb : int
        Limit on the private writable memory that a task adds to its worker's; 0 for none.
    core : int, optional
        Pin the worker to this core (timing).
    remote : bool
        The worker may be on another machine: its reports tell its environment.
    """

    plugin_files: tuple[Path, ...]
    artefacts: Path
    memory_mb: int = 0
    threads: int = 1
    core: int | None = None
    remote: bool = False
