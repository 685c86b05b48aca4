"""What runs inside a worker process: one task at a time, every failure turned into an outcome."""

import os
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from attns_core.control import Adaptive, StepControl
from attns_core.coordinates import ChangeOfCoordinates, SolverInCoordinates
from attns_core.corrector import Correction
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.metric import Outcome as Measured
from attns_core.problem import Problem
from attns_core.reference import Reference
from attns_core.registry import Registry, build_registry
from attns_core.solution import Solution
from attns_core.solver import AbstractSolver, OneStepSolver
from attns_core.trajectories import Trajectories, read_trajectories
from attns_harness import artefacts, provenance
from attns_harness.artefacts import DamagedArtefactError
from attns_harness.cells import HAS_TO_LEARN, Cell, DataFile, ProblemSpec
from attns_harness.journal import FULL
from attns_harness.measure import measure
from attns_harness.outcome import Outcome
from attns_harness.provenance import GPU_COLUMNS
from attns_harness.sandbox import RETIRED, Sandbox
from attns_harness.tasks import Report, Task, WorkerContext
from attns_harness.timing import sample
from attns_harness.training_columns import training_columns

if TYPE_CHECKING:
    from attns_core.training import Trained

T = TypeVar("T")

BEYOND_EXPLICIT = frozenset({"stiff", "events"})
"""Tags of equations whose training trajectories explicit sub-steps of equal length cannot follow."""

_worker: "Worker | None" = None
# The one piece of process state: a pool's initialiser has nowhere else to leave it.


def initialise(context: WorkerContext, scratch: Path) -> None:
    """Prepare this process for tasks of a run."""
    global _worker
    _worker = Worker(context, Sandbox(context.memory_mb, scratch))


def perform(task: Task) -> Report:
    """Run a task in this process. A spoilt process exits instead, and the task goes to a fresh one."""
    assert _worker is not None
    if _worker.sandbox.spoilt:
        os._exit(RETIRED)
    return _worker.perform(task)


class Worker:
    """Registry, problems, references and weights, kept from task to task."""

    def __init__(self, context: WorkerContext, sandbox: Sandbox) -> None:
        self.context = context
        self.sandbox = sandbox
        # Here and not on first use: a cell's deadline shall not pay for importing plugins.
        self.registry = build_registry(plugin_files=context.plugin_files)
        self._environment = provenance.environment(self.registry, threads=context.threads) if context.remote else {}
        sandbox.settle()
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        if context.core is not None:
            os.sched_setaffinity(0, {context.core})

    def perform(self, task: Task) -> Report:
        started = time.perf_counter()
        made = {"reference": self._reference, "weights": self._weights, "trajectory": self._trajectory}
        work = made.get(task.kind, self._cell)
        try:
            with self.sandbox.task(int(task.cell.point[:8], 16)):
                report = work(task)
        except DamagedArtefactError as error:
            report = Report(outcome=Outcome(state="error", reason=str(error), broken=True))
        except OSError as error:
            # A solver's own files are its own affair; artefacts and training data are the harness's.
            full = error.errno in FULL and task.kind in ("reference", "weights")
            reason = f"cannot write artefacts: {error.strerror}"
            report = Report(outcome=Outcome(state="error", reason=reason, broken=True) if full else _failure(error))
        except MemoryError as error:
            report = Report(
                outcome=Outcome(
                    state="oom",
                    reason=f"memory limit of {self.context.memory_mb} MB: {error}".rstrip(": "),
                    traceback=traceback.format_exc(),
                )
            )
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            report = Report(outcome=_failure(error))
        outcome = replace(report.outcome, output=self.sandbox.output(), seconds=time.perf_counter() - started)
        return replace(report, outcome=outcome, environment=self._environment)

    def _reference(self, task: Task) -> Report:
        from attns_core.reference import make_reference

        problem = self._problem(task.cell.problem)
        reference = make_reference(problem)
        files = artefacts.build(
            self.context.artefacts, task.artefact, lambda folder: artefacts.write_reference(folder, reference)
        )
        return Report(outcome=Outcome(state="ok"), files=files)

    def _weights(self, task: Task) -> Report:
        return self._learned(task) if task.cell.solver is not None else self._corrector_weights(task)

    def _learned(self, task: Task) -> Report:
        """Train a black box. Its data are its own affair, so that their cost is part of its training's."""
        from attns_core.learned_state import save_learned

        cell, solver = task.cell, self.registry.get("solver", task.cell.solver or "")
        problem = self._lessons(cell)
        reason = solver.supports(problem, cell.control)
        if reason is not None:
            return Report(outcome=Outcome(state="skipped", reason=reason))
        started = time.perf_counter()
        learned = solver.train(problem, cell.control, seed=cell.problem.seed)
        cost = {"train_seconds": time.perf_counter() - started, "data_seconds": 0.0}
        files = artefacts.build(
            self.context.artefacts, task.artefact, lambda folder: save_learned(folder, learned, cost)
        )
        return Report(outcome=Outcome(state="ok"), files=files)

    def _lessons(self, cell: Cell) -> Problem:
        assert cell.training is not None
        return cell.problem.training(self.registry, cell.training.trajectories, cell.training.t_end)

    def _corrector_weights(self, task: Task) -> Report:
        from attns_core.weights import save_weights

        if task.cell.dt is None and task.cell.steps is None:
            return Report(outcome=Outcome(state="skipped", reason="correctors belong to their steps; give dts"))
        trained = self._train(task)
        files = artefacts.build(self.context.artefacts, task.artefact, lambda folder: save_weights(folder, trained))
        return Report(outcome=Outcome(state="ok"), files=files)

    def _train(self, task: Task) -> "Trained":
        from attns_core.sequence_training import follow_transients, train_sequence
        from attns_core.training import train
        from attns_core.trajectories import dataset_from_trajectories, solved_dataset

        cell, training = task.cell, task.cell.training
        assert training is not None
        assert training.corrector is not None
        assert training.recipe is not None
        recipe = self.registry.get("recipe", training.recipe.name)
        recipe = recipe.with_options(**training.recipe.options) if training.recipe.options else recipe
        corrector = self.registry.corrector(training.corrector.name, **training.corrector.options)
        assert cell.method is not None
        equation, method = self._stepped(cell), self.registry.method(cell.method)
        seed, n = cell.problem.seed, training.trajectories
        if cell.steps is not None:
            if training.noise:
                raise AttnsError("sequences of correctors are trained on states without noise; give noise = [0.0]")
            source, control = training_source(self.registry, equation)
            t_save, steps = self._problem(replace(cell.problem, n_trajectories=1)).t_save, cell.steps
            transients = self._kept_or(
                ("transients", repr(cell.problem), cell.coordinates_label, steps, n),
                lambda: follow_transients(
                    equation, t_save=t_save, steps=steps, trajectories=n, source=source, control=control, seed=seed
                ),
            )
            return train_sequence(method, corrector, recipe, transients, states=training.states, seed=seed)  # type: ignore[arg-type]
        assert cell.dt is not None
        span = {"trajectories": n, "t_end": training.t_end, "noise": training.noise, "seed": seed}
        dataset = None
        source, control = training_source(self.registry, equation)
        solvable = source.supports(self._problem(replace(cell.problem, n_trajectories=1)), control) is None
        if training.data is not None:
            given = self._given(task, training.data, equation).first(n)
            dataset = dataset_from_trajectories(given, equation, method, dt=cell.dt)
        elif not equation.tags.isdisjoint(BEYOND_EXPLICIT) and solvable and not training.noise:
            dataset = solved_dataset(
                equation, method, source, control, dt=cell.dt, trajectories=n, t_end=training.t_end, seed=seed
            )
        # One dataset serves every corrector and recipe; written whole, so workers may race for it.
        cache = self.context.artefacts / "training-data"
        return train(equation, method, corrector, recipe, dt=cell.dt, dataset=dataset, cache=cache, **span)

    def _given(self, task: Task, data: DataFile, equation: Equation) -> Trajectories:
        """A user's trajectories, out of the artefacts."""
        if data.artefact not in task.needs:
            raise AttnsError(f"trained on {data.name}, which the run folder no longer holds")
        folder = artefacts.verify(self.context.artefacts, data.artefact, task.needs[data.artefact])
        return self._kept_or(
            ("trajectories", data.artefact, equation.name),
            lambda: read_trajectories(folder / data.stored_name, equation),
        )

    def _cell(self, task: Task) -> Report:
        cell = task.cell
        problem = self._problem(_timed_problem(task) if task.timing is not None else cell.problem)
        solver, facts = self._solver(task)
        reason = solver.supports(problem, cell.control)
        if reason is None and solver.trainable and cell.training is None:
            reason = HAS_TO_LEARN
        if reason is not None:
            return Report(outcome=Outcome(state="skipped", reason=reason))
        started = time.perf_counter()
        prepared = solver.prepare(problem, cell.control)
        solution = prepared()
        first_call_s = time.perf_counter() - started
        check_solution(solution, problem)
        if task.timing is not None:
            timing = sample(prepared, task.timing)
            timing |= {"first_call_s": first_call_s, "timed_trajectories": problem.n}
            return Report(outcome=Outcome(state="ok", timing=timing))
        name = _reference_id(task)
        key = ("reference", name, *task.needs[name].values())
        reference = self._kept_or(key, lambda: self._read_reference(task))
        outcome = measure(problem, solution, reference, self.registry.all("metric"))
        order = self.registry.method(cell.method).order if cell.method is not None else None
        columns = {**facts, **outcome.columns, "order": order, "first_call_s": first_call_s}
        columns["operations"] = _operations(solver, problem, cell, solution)
        columns |= self._use(task, problem, solution) | gpu_columns(solution)
        return Report(outcome=replace(outcome, columns=columns))

    def _trajectory(self, task: Task) -> Report:
        """Solve a cell for its states; what the run folder no longer holds is made anew."""
        from attns_core.reference import make_reference
        from attns_harness.trajectories import sample

        cell, problem = task.cell, self._problem(task.cell.problem)
        solution = self._solver(task)[0].prepare(problem, cell.control)()
        check_solution(solution, problem)
        stored = any(name != task.artefact for name in task.needs)
        reference = self._kept_or(
            ("reference", repr(cell.problem)),
            lambda: self._read_reference(task) if stored else make_reference(problem),
        )
        return sample(cell, Measured(problem=problem, solution=solution, reference=reference))

    def _problem(self, spec: ProblemSpec) -> Problem:
        return self._kept_or(("problem", repr(spec)), lambda: spec.build(self.registry))

    def _solver(self, task: Task) -> tuple[AbstractSolver, dict[str, Any]]:
        """The cell's solver with its weights, made anew where they are not stored, and what training cost."""
        cell = task.cell
        if cell.solver is not None:
            return self._black_box(task, cell.solver)
        corrector, facts = self._corrector(task)
        if corrector is None and cell.training is not None:
            corrector = self._train(task).corrector
        assert cell.method is not None
        assert cell.backend is not None
        solver = OneStepSolver(
            method=self.registry.method(cell.method),
            backend=self.registry.backend(cell.backend),
            corrector=corrector,
            dtype=cell.dtype,
        )
        change = self._change(cell)
        return (solver if change is None else SolverInCoordinates(change, solver)), facts

    def _change(self, cell: Cell) -> ChangeOfCoordinates | None:
        if cell.coordinates is None:
            return None
        key = ("coordinates", cell.problem.equation, repr(cell.problem.params), cell.coordinates_label)
        return self._kept_or(key, lambda: cell.change_of(cell.problem.equation_of(self.registry), self.registry))

    def _stepped(self, cell: Cell) -> Equation:
        """The equation that the method steps: in the cell's coordinates where it names some."""
        change = self._change(cell)
        return cell.problem.equation_of(self.registry) if change is None else change.transformed

    def _black_box(self, task: Task, name: str) -> tuple[AbstractSolver, dict[str, Any]]:
        from attns_core.learned_state import load_learned

        solver: Any = self.registry.get("solver", name)
        if task.cell.training is None:
            return solver, {}
        if task.artefact not in task.needs:
            return solver.train(self._lessons(task.cell), task.cell.control, seed=task.cell.problem.seed), {}

        def load() -> Any:
            return load_learned(self._weights_folder(task), solver)

        learned, metadata = self._kept_or(("weights", task.artefact), load)
        return learned, {key: metadata[key] for key in ("train_seconds", "data_seconds")}

    def _corrector(self, task: Task) -> tuple[Correction | None, dict[str, Any]]:
        trained = self._trained(task)
        return (None, {}) if trained is None else (trained.corrector, training_columns(trained))

    def _use(self, task: Task, problem: Problem, solution: Solution) -> dict[str, Any]:
        """Whether an active corrector was used where it was trained."""
        trained, name = self._trained(task), task.cell.method
        if trained is None or name is None or not trained.corrector.active:
            return {}
        if "input_range" not in trained.metadata:
            return {}  # a sequence has a range for every step; its margins limit them
        from attns_core.diagnostics import trajectories_out_of_range

        change, u = self._change(task.cell), solution.u
        if change is not None:
            problem, u = change.problem(problem), change.forward(u)
        outside = trajectories_out_of_range(trained.metadata, problem, self.registry.method(name), u)
        return {"out_of_range_fraction": float(np.mean(outside))}

    def _trained(self, task: Task) -> "Trained | None":
        cell = task.cell
        if cell.training is None or cell.method is None or task.artefact not in task.needs:
            return None
        from attns_core.weights import load_weights

        def load() -> Any:
            assert cell.method is not None
            equation, method = self._stepped(cell), self.registry.method(cell.method)
            return load_weights(self._weights_folder(task), equation=equation, method=method, dt=cell.dt)

        return self._kept_or(("weights", task.artefact, *task.needs[task.artefact].values()), load)

    def _weights_folder(self, task: Task) -> Path:
        return artefacts.verify(self.context.artefacts, task.artefact, task.needs[task.artefact])

    def _read_reference(self, task: Task) -> Reference:
        name = _reference_id(task)
        return artefacts.read_reference(artefacts.verify(self.context.artefacts, name, task.needs[name]))

    def _kept_or(self, key: Any, make: Callable[[], T]) -> T:
        """Keep the last few of what is costly to load; cells of a group come one after the other."""
        if key not in self._kept:
            self._kept[key] = make()
            while len(self._kept) > 24:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def training_source(registry: Registry, equation: Equation) -> tuple[AbstractSolver, StepControl]:
    """What makes training data where fixed explicit sub-steps do not: a solver and its tolerance.

    An equation names its own solver where no general one serves; the others are solved by an adaptive
    method, far more exactly than any corrector of practical size.
    """
    if equation.solver:
        return registry.get("solver", equation.solver), Adaptive(rtol=1e-10, atol=1e-10)
    name, rtol, atol = ("rodas5p", 1e-9, 1e-12) if "stiff" in equation.tags else ("dop853", 1e-12, 1e-12)
    method, backend = registry.method(name), registry.backend("numba")
    return OneStepSolver(method=method, backend=backend), Adaptive(rtol=rtol, atol=atol)


def _timed_problem(task: Task) -> ProblemSpec:
    """The cell's problem with the ensemble that is timed."""
    assert task.timing is not None
    n = task.timing.n_trajectories
    return task.cell.problem if n is None else replace(task.cell.problem, n_trajectories=n)


def check_solution(solution: Any, problem: Problem) -> None:
    """A solver's answer must be what the problem asked for.

    Raises
    ------
    AttnsError
        Not a Solution, or of the wrong shape.
    """
    if not isinstance(solution, Solution):
        raise AttnsError(f"the solver returned {type(solution).__name__}, expected a Solution")
    expected = (problem.t_save.size, problem.equation.dim, problem.n)
    if solution.u.shape != expected:
        raise AttnsError(f"the solver returned states of shape {solution.u.shape}, expected {expected}")
    if np.shape(solution.t) != problem.t_save.shape or not np.allclose(solution.t, problem.t_save, rtol=1e-9, atol=0):
        raise AttnsError("the solver's times are not the problem's t_save")


def gpu_columns(solution: Solution) -> dict[str, Any]:
    """The GPU a solution came from, its driver and the libraries used; nothing for other devices."""
    return {c: solution.extra[c] for c in GPU_COLUMNS if c in solution.extra} if "gpu" in solution.extra else {}


def _operations(solver: AbstractSolver, problem: Problem, cell: Cell, solution: Solution) -> float | None:
    """Per trajectory, averaged over the ensemble; None where not known, as for black boxes."""
    if not isinstance(solver, OneStepSolver):
        return None
    from attns_core.operations import operations

    counted = operations(problem, solver.method, cell.control, solver.corrector, solution)
    return None if counted is None else float(np.mean(counted))


def _reference_id(task: Task) -> str:
    return next(name for name in task.needs if name != task.artefact)


def _failure(error: BaseException) -> Outcome:
    # torch reports exhausted memory as a RuntimeError, on the CPU and on a device.
    text = f"{type(error).__name__}: {error}"
    state = "oom" if "can't allocate memory" in text or "OutOfMemory" in text else "error"
    reason = next(iter(text.splitlines()), text)
    return Outcome(state=state, reason=reason[:500], traceback=traceback.format_exc()[-8000:])
