"""Where a run came from: its matrix, the commands that made it, the machines and versions."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from attns_harness.analysis.frames import Frame, pd
from attns_harness.matrix import Regime
from attns_harness.matrix_file import parse_matrix
from attns_harness.tables import read_environments
from attns_harness.training_curves import read_training_curves
from attns_harness.trajectories import read_trajectories


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """How one corrector was trained.

    Parameters
    ----------
    series : str
        ``method+corrector``.
    trajectories : int, optional
        Size of the training set.
    seconds, losses : sequence of float
        Wall time, and the mean squared one-step error on held-out data over the bare method's.
    gated : bool
        Whether the corrector switched itself off.
    """

    equation: str
    series: str
    trajectories: int | None
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
    title, description : str
        From the matrix.
    matrix : str
        Text of the matrix file.
    environments : mapping
        Environment id -> machine, versions, plugins.
    trainings : tuple of Training
    trajectories : DataFrame
        States of the best, the median and a diverged run of every problem.
    """

    name: str
    title: str = ""
    description: str = ""
    matrix: str = ""
    environments: dict[str, Any] | None = None
    trainings: tuple[Training, ...] = ()
    trajectories: Frame = field(default_factory=lambda: pd.DataFrame(columns=["problem", "role"]))

    @property
    def regimes(self) -> tuple[Regime, ...]:
        """The comparisons that the matrix asks for."""
        return tuple(parse_matrix(self.matrix).matrix.regime) if "[[regime]]" in self.matrix else ()

    @property
    def commands(self) -> tuple[str, ...]:
        """What reproduces the run and its report, from the run folder's own copy of the matrix."""
        return (f"attns run {self.name}/matrix.toml --out {self.name}", f"attns report {self.name} --format html")


def read_facts(run_dir: Path) -> RunFacts:
    """Read what a run folder has besides its tables."""
    matrix = run_dir / "matrix.toml"
    text = matrix.read_text(encoding="utf-8") if matrix.is_file() else ""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        # A matrix that was edited by hand: it is still shown.
        said = {}
    return RunFacts(
        name=run_dir.name or run_dir.resolve().name,
        title=str(said.get("title", "")),
        description=" ".join(str(said.get("description", "")).split()),
        matrix=text,
        environments=read_environments(run_dir) or None,
        trainings=tuple(_trainings(read_training_curves(run_dir))),
        trajectories=read_trajectories(run_dir),
    )


def _trainings(curves: Frame) -> Iterator[Training]:
    for _, points in curves.groupby("weights_id", sort=True):
        first = points.iloc[0]
        yield Training(
            equation=first["equation"],
            series=f"{first['method']}+{first['corrector']}",
            trajectories=None if pd.isna(first["train_trajectories"]) else int(first["train_trajectories"]),
            seconds=tuple(points["seconds"]),
            losses=tuple(points["held_out_loss"]),
            gated=bool(first["gated"]),
        )
