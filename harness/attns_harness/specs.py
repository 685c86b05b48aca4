"""What cells are specified by: names with options, a problem, a training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from attns_core.dataset import STREAMS
from attns_core.equation import Equation
from attns_core.identity import content_hash
from attns_core.problem import Problem
from attns_core.registry import Registry

EVALUATION_STREAM = STREAMS["test"]
"""Evaluation ensembles have a seed stream of their own, apart from training and validation."""


@final
@dataclass(frozen=True, kw_only=True)
class Spec:
    """A name with options: a corrector ``attns`` with ``width = 32``."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        if not self.options:
            return self.name
        return f"{self.name}[{','.join(f'{k}={_short(v)}' for k, v in sorted(self.options.items()))}]"


@final
@dataclass(frozen=True, kw_only=True)
class ProblemSpec:
    """What decides the problem: equation, parameters, time span, ensemble.

    With ``log_points`` states are saved at so many logarithmically spaced times, over the equation's
    ``log_times`` or its own, and ``save_every`` is 0.
    """

    equation: str
    params: Mapping[str, Any]
    t_end: float
    save_every: float
    n_trajectories: int
    seed: int
    log_points: int | None = None
    log_times: tuple[float, float] | None = None

    def build(self, registry: Registry) -> Problem:
        """Draw the initial states and lay out the saved times."""
        return self._sample(registry, self.n_trajectories, self.t_end, EVALUATION_STREAM)

    def training(self, registry: Registry, trajectories: int, t_end: float | None) -> Problem:
        """The training trajectories of a black box: other initial states, the equation's span by default."""
        return self._sample(registry, trajectories, t_end, STREAMS["train"])

    def _sample(self, registry: Registry, n: int, t_end: float | None, stream: int) -> Problem:
        equation = self.equation_of(registry)
        # The seed of a problem is any seed of NumPy's default_rng; a pair keeps streams apart.
        seed: Any = [self.seed, stream]
        if self.log_points is not None:
            return Problem.sample_log(equation, points=self.log_points, n=n, seed=seed, times=self.log_times)
        return Problem.sample(equation, n=n, seed=seed, t_end=t_end, save_every=self.save_every)

    def equation_of(self, registry: Registry) -> Equation:
        equation: Equation = registry.equation(self.equation, **self.params)
        return equation


@final
@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file of a user's trajectories: its name for people, the hash of its contents for identity."""

    name: str
    sha256: str

    @property
    def artefact(self) -> str:
        """Its id among the artefacts of a run."""
        return content_hash(["trajectories", self.sha256, self.stored_name])

    @property
    def stored_name(self) -> str:
        """Its name there; the suffix says how it is read."""
        return f"trajectories{Path(self.name).suffix.lower()}"


@final
@dataclass(frozen=True, kw_only=True)
class Training:
    """What decides trained weights besides equation, solver and steps.

    ``states`` is what sequences of correctors are trained on, see
    :func:`attns_core.sequence_training.train_sequence`.

    A black box that learns has neither corrector nor recipe: how it trains is its own affair. With ``data``
    the trajectories are the first of that file instead of made ones.
    """

    corrector: Spec | None
    recipe: Spec | None
    trajectories: int
    noise: float
    t_end: float | None
    states: str = "predicted"
    data: DataFile | None = None


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple | dict):
        text = str(value).replace(" ", "").replace("'", "")
        return text if len(text) <= 24 else f"#{content_hash(value, 6)}"
    return str(value)


def params_label(params: Mapping[str, Any]) -> str | None:
    return ",".join(f"{k}={_short(v)}" for k, v in sorted(params.items())) or None
