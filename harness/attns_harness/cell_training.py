"""Training what a cell uses: a corrector by its recipe, a black box by itself."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from attns_core.control import Adaptive, StepControl
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.problem import Problem
from attns_core.registry import Registry
from attns_core.solver import AbstractSolver, OneStepSolver
from attns_harness import artefacts
from attns_harness.cells import Cell
from attns_harness.ingredients import Ingredients
from attns_harness.outcome import Outcome
from attns_harness.tasks import Report, Task

if TYPE_CHECKING:
    from attns_core.training import Trained

BEYOND_EXPLICIT = frozenset({"stiff", "events"})
"""Tags of equations whose training trajectories explicit sub-steps of equal length cannot follow."""


def learn_black_box(ingredients: Ingredients, task: Task) -> Report:
    """Train a black box. Its data are its own affair, so that their cost is part of its training's."""
    from attns_core.learned_state import save_learned

    cell, solver = task.cell, ingredients.registry.get("solver", task.cell.solver or "")
    problem = lessons(ingredients.registry, cell)
    reason = solver.supports(problem, cell.control)
    if reason is not None:
        return Report(outcome=Outcome(state="skipped", reason=reason))
    started = time.perf_counter()
    learned = solver.train(problem, cell.control, seed=cell.problem.seed)
    cost = {"train_seconds": time.perf_counter() - started, "data_seconds": 0.0}
    files = artefacts.build(ingredients.folder, task.artefact, lambda folder: save_learned(folder, learned, cost))
    return Report(outcome=Outcome(state="ok"), files=files)


def learn_corrector(ingredients: Ingredients, task: Task) -> Report:
    """Train a corrector and store its weights."""
    from attns_core.weights import save_weights

    if task.cell.dt is None and task.cell.steps is None:
        return Report(outcome=Outcome(state="skipped", reason="correctors belong to their steps; give dts"))
    trained = train_corrector(ingredients, task)
    files = artefacts.build(ingredients.folder, task.artefact, lambda folder: save_weights(folder, trained))
    return Report(outcome=Outcome(state="ok"), files=files)


def train_corrector(ingredients: Ingredients, task: Task) -> "Trained":
    """Weights of the cell's corrector, from the data that its matrix names."""
    from attns_core.sequence_training import follow_transients, train_sequence
    from attns_core.training import train
    from attns_core.trajectories import dataset_from_trajectories, solved_dataset

    cell, training = task.cell, task.cell.training
    assert training is not None
    assert training.corrector is not None
    assert training.recipe is not None
    recipe = ingredients.registry.get("recipe", training.recipe.name)
    recipe = recipe.with_options(**training.recipe.options) if training.recipe.options else recipe
    corrector = ingredients.registry.corrector(training.corrector.name, **training.corrector.options)
    assert cell.method is not None
    equation, method = ingredients.stepped(cell), ingredients.registry.method(cell.method)
    seed, n = cell.problem.seed, training.trajectories
    if cell.steps is not None:
        if training.noise:
            raise AttnsError("sequences of correctors are trained on states without noise; give noise = [0.0]")
        source, control = training_source(ingredients.registry, equation)
        t_save, steps = ingredients.problem(replace(cell.problem, n_trajectories=1)).t_save, cell.steps
        transients = ingredients.kept_or(
            ("transients", repr(cell.problem), cell.coordinates_label, steps, n),
            lambda: follow_transients(
                equation, t_save=t_save, steps=steps, trajectories=n, source=source, control=control, seed=seed
            ),
        )
        return train_sequence(method, corrector, recipe, transients, states=training.states, seed=seed)  # type: ignore[arg-type]
    assert cell.dt is not None
    span = {"trajectories": n, "t_end": training.t_end, "noise": training.noise, "seed": seed}
    dataset = None
    source, control = training_source(ingredients.registry, equation)
    solvable = source.supports(ingredients.problem(replace(cell.problem, n_trajectories=1)), control) is None
    if training.data is not None:
        given = ingredients.given(task, training.data, equation).first(n)
        dataset = dataset_from_trajectories(given, equation, method, dt=cell.dt)
    elif not equation.tags.isdisjoint(BEYOND_EXPLICIT) and solvable and not training.noise:
        dataset = solved_dataset(
            equation, method, source, control, dt=cell.dt, trajectories=n, t_end=training.t_end, seed=seed
        )
    # One dataset serves every corrector and recipe; written whole, so workers may race for it.
    cache = ingredients.folder / "training-data"
    return train(equation, method, corrector, recipe, dt=cell.dt, dataset=dataset, cache=cache, **span)


def lessons(registry: Registry, cell: Cell) -> Problem:
    """What a black box learns from."""
    assert cell.training is not None
    return cell.problem.training(registry, cell.training.trajectories, cell.training.t_end)


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
