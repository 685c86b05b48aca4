"""Cells: one point of a matrix each, named by a hash of everything that decides its outcome.

A cell has two names. Its *point* is the hash of its coordinates: what was asked for. Its *id* also
covers the code that answers: equation, coefficients, plugin versions, kernels. A stored row whose point
is asked for again under another id is stale.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, final

from attns_core.control import Adaptive, FixedStep, FrozenSteps, StepControl, StepsPerSave
from attns_core.coordinates import ChangeOfCoordinates, Coordinate
from attns_core.equation import Equation
from attns_core.identity import content_hash
from attns_core.registry import Registry
from attns_harness.specs import DataFile, ProblemSpec, Spec, Training, params_label

ATOL = 1e-3
"""Absolute tolerance of a pilot as a fraction of its relative one: stiff species are small and matter."""

HAS_TO_LEARN = "has to learn: give train_trajectories"
"""Why a black box with a method ``train`` does not run without training."""


@final
@dataclass(frozen=True, kw_only=True)
class Cell:
    """One solver with one control on one problem.

    Either ``method`` with ``backend``, or a black-box ``solver``, either of them perhaps with
    ``training``; one of ``dt``, ``rtol``, ``steps`` (per saving interval) and ``frozen`` (tolerance of a
    pilot, whose steps are divided by ``refine``). ``coordinates`` by component are what the method steps in.
    """

    problem: ProblemSpec
    method: str | None = None
    solver: str | None = None
    backend: str | None = None
    dtype: str = "float64"
    training: Training | None = None
    dt: float | None = None
    rtol: float | None = None
    steps: int | None = None
    frozen: float | None = None
    refine: float = 1.0
    coordinates: Mapping[str, Spec] | None = None

    @property
    def control(self) -> StepControl:
        if self.dt is not None:
            return FixedStep(self.dt)
        if self.steps is not None:
            return StepsPerSave(self.steps)
        if self.frozen is not None:
            return FrozenSteps(rtol=self.frozen, atol=self.frozen * ATOL, refine=self.refine)
        assert self.rtol is not None
        return Adaptive(rtol=self.rtol, atol=self.rtol)

    def change_of(self, equation: Equation, registry: Registry) -> ChangeOfCoordinates | None:
        """The change of coordinates that the method steps in, if any.

        Raises
        ------
        AttnsError
            Unknown coordinates or components, or states without a coordinate.
        """
        if self.coordinates is None:
            return None
        return ChangeOfCoordinates(equation=equation, coordinates=coordinates_of(self.coordinates, registry))

    @property
    def solver_label(self) -> str:
        """The name of the solver's curve: ``rk4``, ``rk4+attns[input=u]``, ``rodas4-frozen``, ``scipy-dop853``.

        Trained on a user's trajectories: ``rk4+attns@measured.npz``; in other coordinates: ``rk4 in log(x)``.
        """
        return self._stepping if self.coordinates is None else f"{self._stepping} in {self.coordinates_label}"

    @property
    def coordinates_label(self) -> str | None:
        """``log(a,b),sqrt[floor=0.1](c)``."""
        if self.coordinates is None:
            return None
        components: dict[str, list[str]] = {}
        for component, spec in self.coordinates.items():
            components.setdefault(spec.label, []).append(component)
        return ",".join(f"{label}({','.join(names)})" for label, names in components.items())

    @property
    def _stepping(self) -> str:
        if self.solver is not None:
            return self.solver
        assert self.method is not None
        if self.frozen is not None:
            return f"{self.method}-frozen" + ("" if self.refine == 1 else f"[refine={self.refine:g}]")
        corrector = self.training.corrector if self.training is not None else None
        if corrector is None:
            return self.method
        data = self.training.data if self.training is not None else None
        return f"{self.method}+{corrector.label}" + ("" if data is None else f"@{data.name}")

    @property
    def label(self) -> str:
        """One line for people."""
        parts = [self.problem.equation, self.solver_label, self.backend or "", self.control.label()]
        if self.training is not None:
            parts.append(f"{self.training.trajectories} trajectories")
        return " ".join(p for p in [*parts, f"seed {self.problem.seed}"] if p)

    @property
    def group(self) -> tuple[str, str, str]:
        """Cells of a group share compiled code: a worker takes them one after the other."""
        return (self.problem.equation, self.solver or self.method or "", self.dtype)

    @property
    def point(self) -> str:
        """Hash of the coordinates."""
        return content_hash(self.to_json())

    def sort_key(self) -> tuple[Any, ...]:
        """Order of rows in tables: by coordinates, so that it never depends on the order of work."""
        p, t = self.problem, self.training
        return (
            p.equation,
            content_hash(p.params) if p.params else "",
            p.t_end,
            p.save_every,
            p.n_trajectories,
            p.log_points or 0,
            p.log_times or (0.0, 0.0),
            self.solver is not None,
            self.solver_label,
            self.backend or "",
            self.dtype,
            t.recipe.label if t and t.recipe else "",
            t.trajectories if t else 0,
            t.noise if t else 0.0,
            (t.t_end or 0.0) if t else 0.0,
            t.data.sha256 if t and t.data else "",
            -(self.dt or 0.0),
            -(self.rtol or 0.0),
            self.steps or 0,
            -(self.frozen or 0.0),
            self.refine,
            p.seed,
        )

    def columns(self) -> dict[str, Any]:
        """The coordinates as columns of the result table."""
        p, t = self.problem, self.training
        corrector = t.corrector if t else None
        return {
            "equation": p.equation,
            "params": params_label(p.params),
            "solver": self.solver_label,
            "method": self.method,
            "corrector": corrector.name if corrector else ("none" if self.method else None),
            "corrector_options": Spec(name="", options=corrector.options).label[1:-1] if corrector else None,
            "recipe": t.recipe.label if t and t.recipe else None,
            "coordinates": self.coordinates_label,
            "backend": self.backend,
            "dtype": self.dtype,
            "dt": self.dt,
            "rtol": self.rtol if self.frozen is None else self.frozen,
            "steps_per_save": self.steps,
            "train_trajectories": t.trajectories if t else None,
            "train_t_end": t.t_end if t else None,
            "noise": t.noise if corrector and t else None,
            "seed": p.seed,
            "t_end": p.t_end,
            "save_every": p.save_every,
            "n_trajectories": p.n_trajectories,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; :meth:`from_json` reads it back.

        What came later and is not used is left out, so that cells keep the names they were stored under.
        """
        data = asdict(self)
        _drop(data, steps=None, frozen=None, refine=1.0, coordinates=None)
        _drop(data["problem"], log_points=None, log_times=None)
        if data["training"] is not None:
            _drop(data["training"], states="predicted", data=None)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Cell":
        given = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        problem = dict(given["problem"])
        if problem.get("log_times") is not None:
            problem["log_times"] = tuple(problem["log_times"])
        given["problem"] = ProblemSpec(**problem)
        if given.get("coordinates") is not None:
            given["coordinates"] = {c: Spec(**spec) for c, spec in given["coordinates"].items()}
        if given["training"] is not None:
            training = dict(given["training"])
            for name in ("corrector", "recipe"):
                training[name] = Spec(**training[name]) if training[name] is not None else None
            if "data" in training:
                training["data"] = DataFile(**training["data"])
            given["training"] = Training(**training)
        return cls(**given)


def coordinates_of(chosen: Mapping[str, Spec], registry: Registry) -> dict[str, Coordinate]:
    """The registered coordinates that components are given."""
    return {c: registry.coordinate(spec.name, **spec.options) for c, spec in chosen.items()}


def _drop(data: dict[str, Any], /, **defaults: Any) -> None:
    for key, value in defaults.items():
        if data[key] == value:
            del data[key]
