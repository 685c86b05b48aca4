"""Where a run came from: its matrix, the commands that made it, the machines and versions."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class RunFacts:
    """What lies beside the tables of a run; empty where it is not there.

    Parameters
    ----------
    name : str
        The folder's name.
    matrix : str
        Text of the matrix file.
    environments : mapping
        Environment id -> machine, versions, plugins.
    """

    name: str
    matrix: str = ""
    environments: dict[str, Any] | None = None

    @property
    def commands(self) -> tuple[str, ...]:
        """What reproduces the run and its report, from the run folder's own copy of the matrix."""
        return (f"attns run {self.name}/matrix.toml --out {self.name}", f"attns report {self.name} --format html")


def read_facts(run_dir: Path) -> RunFacts:
    """Read what a run folder has besides its tables."""
    matrix, environments = run_dir / "matrix.toml", run_dir / "tables" / "environments.json"
    return RunFacts(
        name=run_dir.name or run_dir.resolve().name,
        matrix=matrix.read_text(encoding="utf-8") if matrix.is_file() else "",
        environments=json.loads(environments.read_text(encoding="utf-8")) if environments.is_file() else None,
    )
