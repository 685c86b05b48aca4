"""The solver of a cell, with its weights."""

from typing import Any

import numpy as np

from attns_core.coordinates import SolverInCoordinates
from attns_core.corrector_sequence import Correction
from attns_core.problem import Problem
from attns_core.solution import Solution
from attns_core.solver import AbstractSolver, OneStepSolver
from attns_harness.cell_training import lessons, train_corrector
from attns_harness.ingredients import Ingredients
from attns_harness.tasks import Task
from attns_harness.training_columns import training_columns


def cell_solver(ingredients: Ingredients, task: Task) -> tuple[AbstractSolver, dict[str, Any]]:
    """The cell's solver with its weights, made anew where they are not stored, and what training cost."""
    cell = task.cell
    if cell.solver is not None:
        return _black_box(ingredients, task, cell.solver)
    corrector, facts = _corrector(ingredients, task)
    if corrector is None and cell.training is not None:
        corrector = train_corrector(ingredients, task).corrector
    assert cell.method is not None
    assert cell.backend is not None
    solver = OneStepSolver(
        method=ingredients.registry.method(cell.method),
        backend=ingredients.registry.backend(cell.backend),
        corrector=corrector,
        dtype=cell.dtype,
    )
    change = ingredients.change(cell)
    return (solver if change is None else SolverInCoordinates(change, solver)), facts


def use_columns(ingredients: Ingredients, task: Task, problem: Problem, solution: Solution) -> dict[str, Any]:
    """Whether an active corrector was used where it was trained."""
    trained, name = ingredients.trained(task), task.cell.method
    if trained is None or name is None or not trained.corrector.active:
        return {}
    if "input_range" not in trained.metadata:
        return {}  # a sequence has a range for every step; its margins limit them
    from attns_core.diagnostics import trajectories_out_of_range

    change, u = ingredients.change(task.cell), solution.u
    if change is not None:
        problem, u = change.problem(problem), change.forward(u)
    outside = trajectories_out_of_range(trained.metadata, problem, ingredients.registry.method(name), u)
    return {"out_of_range_fraction": float(np.mean(outside))}


def _black_box(ingredients: Ingredients, task: Task, name: str) -> tuple[AbstractSolver, dict[str, Any]]:
    from attns_core.learned_state import load_learned

    solver: Any = ingredients.registry.get("solver", name)
    if task.cell.training is None:
        return solver, {}
    if task.artefact not in task.needs:
        problem = lessons(ingredients.registry, task.cell)
        return solver.train(problem, task.cell.control, seed=task.cell.problem.seed), {}

    def load() -> Any:
        return load_learned(ingredients.weights_folder(task), solver)

    learned, metadata = ingredients.kept_or(("weights", task.artefact), load)
    return learned, {key: metadata[key] for key in ("train_seconds", "data_seconds")}


def _corrector(ingredients: Ingredients, task: Task) -> tuple[Correction | None, dict[str, Any]]:
    trained = ingredients.trained(task)
    return (None, {}) if trained is None else (trained.corrector, training_columns(trained))
