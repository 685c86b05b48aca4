"""The trainings that a block of a matrix asks for."""

from collections.abc import Iterator
from itertools import product

from attns_core.equation import Equation
from attns_core.errors import AttnsError, UnknownNameError
from attns_core.registry import Registry
from attns_harness.cells import HAS_TO_LEARN
from attns_harness.matrix import Block, Choice
from attns_harness.specs import DataFile, Spec, Training
from attns_harness.training_data import TrainingData

NO_CORRECTOR = "none"
DEFAULT_RECIPE = "lsq"


def trainings(
    block: Block, registry: Registry, sizes: list[int], data: DataFile | None = None
) -> Iterator[Training | None]:
    for corrector in block.correctors:
        if corrector.name == NO_CORRECTOR:
            yield None
            continue
        _check_corrector(corrector, registry)
        for recipe in block.recipes or [Choice(name=_default_recipe(registry))]:
            found = registry.get("recipe", recipe.name)
            if recipe.options:
                found.with_options(**recipe.options)
            for trajectories, noise, states in product(sizes, block.noise, block.train_states):
                yield Training(
                    corrector=Spec(name=corrector.name, options=corrector.options),
                    recipe=Spec(name=recipe.name, options=recipe.options),
                    trajectories=trajectories,
                    noise=noise,
                    t_end=block.train_t_end,
                    states=states,
                    data=data,
                )


def trainings_on_data(
    name: str, block: Block, equation: Equation, steps: list[float], registry: Registry, data: TrainingData
) -> Iterator[Training | None]:
    """The block's trainings on the trajectories of a file."""
    if block.steps_per_save:
        raise AttnsError("train_data serves one corrector for all steps, and steps_per_save trains one for each")
    if any(block.noise) or block.train_t_end is not None:
        raise AttnsError(f"train_data = {name!r} has a noise and a length of its own: leave out noise and train_t_end")
    file, sizes = data.file(name, equation, steps, block.train_trajectories)
    yield from trainings(block, registry, sizes, file)


def own_trainings(solver: str, block: Block, registry: Registry) -> Iterator[Training | None]:
    """What a black box learns from: nothing, or trajectories that it makes itself, without noise."""
    if not registry.get("solver", solver).trainable:
        yield None
        return
    if not block.train_trajectories:
        if solver in block.solvers:
            raise AttnsError(f"solver {solver!r} {HAS_TO_LEARN}")
        yield None  # a pattern stands for it too: its row says why it is skipped
    for trajectories in block.train_trajectories:
        yield Training(corrector=None, recipe=None, trajectories=trajectories, noise=0.0, t_end=block.train_t_end)


def _check_corrector(choice: Choice, registry: Registry) -> None:
    if choice.name not in registry.names("corrector"):
        raise UnknownNameError("corrector", choice.name, [*registry.names("corrector"), NO_CORRECTOR])
    registry.corrector(choice.name, **choice.options)


def _default_recipe(registry: Registry) -> str:
    names = registry.names("recipe")
    if DEFAULT_RECIPE not in names:
        raise AttnsError(f"name the recipes of a block with correctors; registered: {', '.join(names) or 'none'}")
    return DEFAULT_RECIPE
