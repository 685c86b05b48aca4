"""What cells are made of, kept from task to task: problems, references, trajectories and weights."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, final

from attns_core.coordinates import ChangeOfCoordinates
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.problem import Problem
from attns_core.recent import Recent
from attns_core.reference import Reference
from attns_core.registry import Registry
from attns_core.trajectories import Trajectories, read_trajectories
from attns_harness import artefacts
from attns_harness.cells import Cell
from attns_harness.specs import DataFile, ProblemSpec
from attns_harness.tasks import Task

if TYPE_CHECKING:
    from attns_core.training import Trained

T = TypeVar("T")

MOST_KEPT = 24
"""Things kept at once; cells of a group come one after the other, so the last few serve."""


@final
class Ingredients:
    """The registry, a run's artefacts, and the last of what was made or read.

    Parameters
    ----------
    registry : Registry
    folder : Path
        The run's artefacts.
    """

    def __init__(self, registry: Registry, folder: Path) -> None:
        self.registry = registry
        self.folder = folder
        self._kept = Recent[Any](MOST_KEPT)

    def problem(self, spec: ProblemSpec) -> Problem:
        """A cell's problem: equation, initial states, saved times."""
        return self.kept_or(("problem", repr(spec)), lambda: spec.build(self.registry))

    def change(self, cell: Cell) -> ChangeOfCoordinates | None:
        """The coordinates that the cell names, if any."""
        if cell.coordinates is None:
            return None
        key = ("coordinates", cell.problem.equation, repr(cell.problem.params), cell.coordinates_label)
        return self.kept_or(key, lambda: cell.change_of(cell.problem.equation_of(self.registry), self.registry))

    def stepped(self, cell: Cell) -> Equation:
        """The equation that the method steps: in the cell's coordinates where it names some."""
        change = self.change(cell)
        return cell.problem.equation_of(self.registry) if change is None else change.transformed

    def given(self, task: Task, data: DataFile, equation: Equation) -> Trajectories:
        """A user's trajectories, out of the artefacts."""
        if data.artefact not in task.needs:
            raise AttnsError(f"trained on {data.name}, which the run folder no longer holds")
        folder = artefacts.verify(self.folder, data.artefact, task.needs[data.artefact])
        return self.kept_or(
            ("trajectories", data.artefact, equation.name),
            lambda: read_trajectories(folder / data.stored_name, equation),
        )

    def reference(self, task: Task) -> Reference:
        """The stored reference of the cell's problem."""
        name = next(name for name in task.needs if name != task.artefact)

        def read() -> Reference:
            return artefacts.read_reference(artefacts.verify(self.folder, name, task.needs[name]))

        return self.kept_or(("reference", name, *task.needs[name].values()), read)

    def trained(self, task: Task) -> "Trained | None":
        """The cell's stored corrector; None where it has or needs none."""
        cell = task.cell
        if cell.training is None or cell.method is None or task.artefact not in task.needs:
            return None
        from attns_core.weights import load_weights

        def load() -> Any:
            assert cell.method is not None
            equation, method = self.stepped(cell), self.registry.method(cell.method)
            return load_weights(self.weights_folder(task), equation=equation, method=method, dt=cell.dt)

        return self.kept_or(("weights", task.artefact, *task.needs[task.artefact].values()), load)

    def weights_folder(self, task: Task) -> Path:
        """The stored weights, checked against what the journal says of them."""
        return artefacts.verify(self.folder, task.artefact, task.needs[task.artefact])

    def kept_or(self, key: Any, make: Callable[[], T]) -> T:
        """What is kept under ``key``, made where it is not."""
        return self._kept.get(key, make)
