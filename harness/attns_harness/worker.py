"""What runs inside a worker process: one task at a time, every failure turned into an outcome."""

import os
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from attns_core.coordinates import SolverInCoordinates
from attns_core.errors import AttnsError
from attns_core.metric import Outcome as Measured
from attns_core.problem import Problem
from attns_core.registry import build_registry
from attns_core.solution import Solution
from attns_core.solver import AbstractSolver, OneStepSolver
from attns_harness import artefacts, provenance
from attns_harness.artefacts import DamagedArtefactError
from attns_harness.cell_solver import cell_solver, use_columns
from attns_harness.cell_training import learn_black_box, learn_corrector
from attns_harness.cells import HAS_TO_LEARN, Cell
from attns_harness.ingredients import Ingredients
from attns_harness.journal import FULL
from attns_harness.measure import measure
from attns_harness.outcome import Outcome
from attns_harness.provenance import GPU_COLUMNS
from attns_harness.sandbox import RETIRED, Sandbox
from attns_harness.specs import ProblemSpec
from attns_harness.tasks import Report, Task, WorkerContext
from attns_harness.timing import sample

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
        self.ingredients = Ingredients(self.registry, context.artefacts)
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

        problem = self.ingredients.problem(task.cell.problem)
        reference = make_reference(problem)
        files = artefacts.build(
            self.context.artefacts, task.artefact, lambda folder: artefacts.write_reference(folder, reference)
        )
        return Report(outcome=Outcome(state="ok"), files=files)

    def _weights(self, task: Task) -> Report:
        learn = learn_corrector if task.cell.solver is None else learn_black_box
        return learn(self.ingredients, task)

    def _cell(self, task: Task) -> Report:
        cell = task.cell
        problem = self.ingredients.problem(_timed_problem(task) if task.timing is not None else cell.problem)
        solver, facts = cell_solver(self.ingredients, task)
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
        outcome = measure(problem, solution, self.ingredients.reference(task), self.registry.all("metric"))
        order = self.registry.method(cell.method).order if cell.method is not None else None
        columns = {**facts, **outcome.columns, "order": order, "first_call_s": first_call_s}
        columns["operations"] = _operations(solver, problem, cell, solution)
        columns |= use_columns(self.ingredients, task, problem, solution) | gpu_columns(solution)
        return Report(outcome=replace(outcome, columns=columns))

    def _trajectory(self, task: Task) -> Report:
        """Solve a cell for its states; what the run folder no longer holds is made anew."""
        from attns_core.reference import make_reference
        from attns_harness.trajectories import sample

        cell, problem = task.cell, self.ingredients.problem(task.cell.problem)
        solution = cell_solver(self.ingredients, task)[0].prepare(problem, cell.control)()
        check_solution(solution, problem)
        stored = any(name != task.artefact for name in task.needs)
        reference = (
            self.ingredients.reference(task)
            if stored
            else self.ingredients.kept_or(("reference", repr(cell.problem)), lambda: make_reference(problem))
        )
        return sample(cell, Measured(problem=problem, solution=solution, reference=reference))


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
    change = None
    if isinstance(solver, SolverInCoordinates):
        change, solver = solver.change, solver.solver
    if not isinstance(solver, OneStepSolver):
        return None
    from attns_core.operations import operations

    counted = operations(problem, solver.method, cell.control, solver.corrector, solution, change=change)
    return None if counted is None else float(np.mean(counted))


def _failure(error: BaseException) -> Outcome:
    # torch reports exhausted memory as a RuntimeError, on the CPU and on a device.
    text = f"{type(error).__name__}: {error}"
    state = "oom" if "can't allocate memory" in text or "OutOfMemory" in text else "error"
    reason = next(iter(text.splitlines()), text)
    return Outcome(state=state, reason=reason[:500], traceback=traceback.format_exc()[-8000:])
