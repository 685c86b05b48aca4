"""Where a run came from: its matrix, the commands that made it, the machines and versions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """How one corrector was trained.

    Parameters
    ----------
    series : str
        ``method+corrector``.
    seconds, losses : sequence of float
        Wall time, and the mean squared one-step error on held-out data over the bare method's.
    gated : bool
        Whether the corrector switched itself off.
    """

    equation: str
    series: str
    seconds: tuple[float, ...]
    losses: tuple[float, ...]
    gated: bool


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
    trainings : tuple of Training
        From the metadata of the stored weights.
    """

    name: str
    matrix: str = ""
    environments: dict[str, Any] | None = None
    trainings: tuple[Training, ...] = ()

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
        trainings=tuple(_trainings(run_dir / "artefacts")),
    )


def _trainings(artefacts: Path) -> Iterator[Training]:
    for path in sorted(artefacts.rglob("*.json")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            points = [(float(p[0]), float(p[2])) for p in data["curve"] if p[2] is not None and float(p[2]) > 0]
            name, method = data["equation"], data["method"]
            series = f"{method}+{data['corrector']['name']}"
        except (ValueError, KeyError, TypeError, IndexError):
            # Not the metadata of weights, or of another version: nothing to draw.
            continue
        if points:
            seconds, losses = zip(*points, strict=True)
            yield Training(
                equation=str(name), series=series, seconds=seconds, losses=losses, gated=bool(data.get("gated"))
            )
