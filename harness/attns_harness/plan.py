"""Plans: a matrix expanded into cells and the artefacts they need."""

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, final

import numpy as np

from attns_core.control import FixedStep
from attns_core.coordinates import ChangeOfCoordinates
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.identity import content_hash
from attns_core.problem import Problem
from attns_core.registry import Registry
from attns_harness.cells import Cell, coordinates_of
from attns_harness.fingerprint import Fingerprints
from attns_harness.matrix import Block, EquationAxis, Matrix, is_pattern
from attns_harness.specs import ProblemSpec, Spec
from attns_harness.training_data import TrainingData
from attns_harness.trainings import own_trainings, trainings, trainings_on_data


@final
@dataclass(frozen=True, kw_only=True)
class Artefact:
    """Something several cells share, built once: a reference solution or trained weights.

    ``spec`` is a cell that needs it; only the fields that the id covers are used to build it.
    """

    id: str
    kind: str
    spec: Cell

    @property
    def label(self) -> str:
        p = self.spec.problem
        if self.kind == "reference":
            return f"reference of {p.equation} seed {p.seed}"
        return f"training {self.spec.label}"


@final
@dataclass(frozen=True, kw_only=True)
class PlannedCell:
    """A cell with its names, the code it rests on and the artefacts it needs."""

    cell: Cell
    id: str
    point: str
    basis: dict[str, Any]
    reference: str
    weights: str | None

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.reference,) if self.weights is None else (self.reference, self.weights)


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """All cells in the order of the tables, all artefacts by id, deadlines in seconds by point, points to time.

    ``timed`` has the trajectories to time a point with, or None for the matrix's own; ``blocks`` the names of the
    blocks that span a point. ``data`` are the files of trajectories that the matrix trains on.
    """

    cells: tuple[PlannedCell, ...]
    artefacts: dict[str, Artefact]
    deadlines: dict[str, float]
    timed: dict[str, int | None]
    blocks: dict[str, set[str]]
    data: TrainingData


def make_plan(matrix: Matrix, registry: Registry, folder: Path = Path()) -> Plan:
    """Expand a matrix: every cell once, however many blocks span it.

    Parameters
    ----------
    folder : Path
        Folder of the matrix file: files that it names are relative to it.

    Raises
    ------
    AttnsError
        Unknown names or options, steps that do not divide saving intervals, spans that are empty, training
        data that do not fit.
    """
    data = TrainingData(folder)
    fingerprints = Fingerprints(registry)
    unique: dict[str, Cell] = {}
    deadlines: dict[str, float] = {}
    timed: dict[str, int | None] = {}
    blocks: dict[str, set[str]] = {}
    for number, block in enumerate(matrix.block):
        try:
            for cell in _expand(block, registry, data):
                point, deadline = cell.point, block.deadline_s or matrix.limits.deadline_s
                unique.setdefault(point, cell)
                blocks.setdefault(point, set()).add(block.name)
                deadlines[point] = max(deadline, deadlines.get(point, 0.0))
                if block.timed:
                    sizes = (block.timed_trajectories or matrix.timing.n_trajectories, timed.get(point))
                    timed[point] = max((n for n in sizes if n is not None), default=None)
        except AttnsError as error:
            where = f"block {block.name!r}" if block.name else f"block[{number}]"
            raise AttnsError(f"{where}: {error}") from error
    artefacts: dict[str, Artefact] = {}
    cells = [
        _name(cell, point, fingerprints, artefacts)
        for point, cell in sorted(unique.items(), key=lambda item: item[1].sort_key())
    ]
    return Plan(cells=tuple(cells), artefacts=artefacts, deadlines=deadlines, timed=timed, blocks=blocks, data=data)


def _name(cell: Cell, point: str, fingerprints: Fingerprints, artefacts: dict[str, Artefact]) -> PlannedCell:
    basis = fingerprints.of(cell)
    problem = cell.to_json()["problem"]
    reference = content_hash(["reference", problem, basis["equation"]])
    artefacts.setdefault(reference, Artefact(id=reference, kind="reference", spec=cell))
    weights = None
    if cell.training is not None:
        training = cell.to_json()["training"]
        decides = [problem["equation"], problem["params"], problem["seed"], cell.method, cell.dt, training]
        grid = [problem[key] for key in ("t_end", "save_every", "log_points", "log_times") if key in problem]
        if cell.steps is not None:
            decides += [cell.steps, grid]
        pieces: tuple[str, ...] = ("equation", "method", "corrector", "recipe", "training")
        if cell.coordinates is not None:
            decides += [cell.to_json()["coordinates"]]
            pieces += ("coordinates",)
        if cell.solver is not None:
            decides += [cell.solver, cell.rtol, grid[1:]]
            pieces = ("equation", "solver", "numerics")
        code = {k: basis[k] for k in pieces}
        weights = content_hash(["weights", decides, code])
        artefacts.setdefault(weights, Artefact(id=weights, kind="weights", spec=cell))
    identity = content_hash([point, basis])
    return PlannedCell(cell=cell, id=identity, point=point, basis=basis, reference=reference, weights=weights)


def _expand(block: Block, registry: Registry, data: TrainingData) -> Iterator[Cell]:
    methods, solvers = _names("method", block.methods, registry), _names("solver", block.solvers, registry)
    for name in block.backends:
        registry.get("backend", name)
    made = list(trainings(block, registry, block.train_trajectories))
    trained = [(name, training) for name in solvers for training in own_trainings(name, block, registry)]
    for axis, seed in product(_equations(block, registry), block.seeds):
        problem, equation = _problem(axis, block, seed, registry)
        steps = _steps(axis, block, equation, problem)
        coordinates = _coordinates(axis, equation, registry)
        if coordinates is not None and solvers:
            raise AttnsError(f"coordinates serve methods; the solver {solvers[0]!r} has its own: use two blocks")
        each = made
        if axis.train_data is not None:
            learners = [name for name, training in trained if training is not None]
            if learners:
                raise AttnsError(f"train_data serves correctors; {learners[0]!r} makes its data itself: use two blocks")
            each = list(trainings_on_data(axis.train_data, block, equation, steps, registry, data))
        for base in _controls(problem, steps, block):
            for name, training in trained if base.dt is not None or base.rtol is not None else ():
                yield replace(base, solver=name, training=training)
            for method, backend, dtype, training in product(methods, block.backends, block.dtypes, each):
                if training is not None and base.frozen is not None:
                    continue
                yield replace(
                    base, method=method, backend=backend, dtype=dtype, training=training, coordinates=coordinates
                )


def _names(kind: str, asked: Iterable[str], registry: Registry) -> list[str]:
    """Registered names, patterns expanded, in the order asked for and each once."""
    found: dict[str, None] = {}
    for name in asked:
        matching = fnmatch.filter(registry.names(kind), name) if is_pattern(name) else [name]
        if kind == "method" and is_pattern(name):
            # A method of order 0 is a base for correctors, nothing to compare with.
            matching = [one for one in matching if registry.method(one).order > 0]
        if not matching:
            raise AttnsError(f"no registered {kind} matches {name!r}; see: attns list {kind}s")
        for one in matching:
            registry.get(kind, one)
            found[one] = None
    return list(found)


def _equations(block: Block, registry: Registry) -> Iterator[EquationAxis]:
    """The block's equations; a pattern stands for those that the block does not also name."""
    named = {axis.name for axis in block.equations}
    for axis in block.equations:
        for name in _names("equation", [axis.name], registry):
            if name == axis.name or name not in named:
                yield axis.model_copy(update={"name": name})


def _coordinates(axis: EquationAxis, equation: Equation, registry: Registry) -> dict[str, Spec] | None:
    """The coordinates by component, checked on sampled states before anything runs."""
    if axis.coordinates is None:
        return None
    if isinstance(axis.coordinates, str):
        chosen = {c: Spec(name=axis.coordinates, options={}) for c in equation.component_names}
    else:
        chosen = {c: Spec(name=choice.name, options=choice.options) for c, choice in axis.coordinates.items()}
    ChangeOfCoordinates(equation=equation, coordinates=coordinates_of(chosen, registry))
    return chosen


def _controls(problem: ProblemSpec, dts: list[float], block: Block) -> Iterator[Cell]:
    """One incomplete cell for every way to choose steps."""
    for dt in dts:
        yield Cell(problem=problem, dt=dt)
    for rtol in block.rtols:
        yield Cell(problem=problem, rtol=rtol)
    for count in block.steps_per_save:
        yield Cell(problem=problem, steps=count)
    for frozen, refine in product(block.frozen, block.refine):
        yield Cell(problem=problem, frozen=frozen, refine=refine)


def _problem(axis: EquationAxis, block: Block, seed: int, registry: Registry) -> tuple[ProblemSpec, Equation]:
    equation: Equation = registry.equation(axis.name, **axis.params)
    every = equation.dts[0] if axis.save_every is None else axis.save_every
    t_end = equation.t_end if axis.t_end is None else axis.t_end
    if axis.log_points is not None:
        every = 0.0
        t_end = Problem.sample_log(equation, points=axis.log_points, times=axis.log_times).t_end
    problem = ProblemSpec(
        equation=axis.name,
        params={k: tuple(v) if isinstance(v, list) else v for k, v in axis.params.items()},
        t_end=float(t_end),
        save_every=float(every),
        n_trajectories=axis.n_trajectories or block.n_trajectories,
        seed=seed,
        log_points=axis.log_points,
        log_times=axis.log_times,
    )
    return problem, equation


def _steps(axis: EquationAxis, block: Block, equation: Equation, problem: ProblemSpec) -> list[float]:
    if axis.dts is not None:
        steps = axis.dts
    elif axis.dt_factors is not None:
        steps = [f * equation.dts[0] for f in axis.dt_factors]
    elif block.dts is not None:
        steps = block.dts
    elif block.dt_factors is not None:
        steps = [f * equation.dts[0] for f in block.dt_factors]
    else:
        steps = [] if block.rtols or block.steps_per_save or block.frozen else list(equation.dts)
    _check_times(equation, problem, steps)
    return [float(s) for s in steps]


def _check_times(equation: Equation, problem: ProblemSpec, steps: list[float]) -> None:
    """Raise now, before hours of work, what a worker would raise later."""
    if problem.log_points is not None:
        if steps:
            raise AttnsError(
                f"equation {equation.name!r}: steps of one length do not fit logarithmic times; "
                "give steps_per_save, frozen or rtols"
            )
        return
    span = problem.t_end - equation.t0
    count = round(span / problem.save_every)
    if span <= 0 or count < 1 or abs(count * problem.save_every - span) > 1e-9 * max(1.0, abs(problem.t_end)):
        Problem.sample(equation, n=1, t_end=problem.t_end, save_every=problem.save_every)
    once = np.array([equation.t0, equation.t0 + problem.save_every])
    interval = Problem(equation=equation, u0=np.zeros((equation.dim, 1)), t_save=once)
    for dt in steps:
        try:
            interval.steps_per_save(FixedStep(dt))
        except AttnsError as error:
            raise AttnsError(f"equation {equation.name!r}: {error}") from None
