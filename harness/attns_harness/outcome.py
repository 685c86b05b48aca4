"""What a worker hands back of a task."""

from dataclasses import dataclass, field
from typing import Any, final


@final
@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a task: the state of a cell or artefact, and what was measured.

    Parameters
    ----------
    columns : dict
        Metric columns and counters: finite numbers, text or None.
    timing : dict
        Timing columns, of timing tasks.
    output : str
        What the solver wrote to the terminal, cut.
    broken : bool
        A file the harness itself needed is damaged or unwritable: no fault of the cell.
    environment : str
        Id of the environment it was found in, where that is not the coordinator's.
    """

    state: str
    reason: str = ""
    traceback: str = ""
    output: str = ""
    columns: dict[str, Any] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    broken: bool = False
    environment: str = ""
