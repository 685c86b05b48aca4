"""Recipes: how a corrector is trained. The data they train on is a :class:`attns_core.dataset.Dataset`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, final

from attns_core.corrector import Corrector
from attns_core.trained_corrector import TrainedCorrector

if TYPE_CHECKING:
    from attns_core.dataset import Dataset

Progress: TypeAlias = Callable[[float, str], None]
"""``progress(fraction done, text)``, called now and then by long recipes."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """What training produced.

    Parameters
    ----------
    trained : TrainedCorrector
    seconds : float
        Wall time of the fit alone (data generation is the dataset's).
    curve : list of (seconds, training loss, held-out loss)
        Losses are mean squared one-step errors divided by the bare method's.
    chosen : dict
        Hyper-parameters chosen on held-out trajectories: input, bandwidth, ridge, ...
    held_out : float, optional
        Held-out loss of a fit that never saw the held-out pairs, for recipes that refit on all pairs
        in the end. None: the corrector itself never saw them.
    """

    trained: TrainedCorrector
    seconds: float
    curve: tuple[tuple[float, float, float], ...] = ()
    chosen: dict[str, Any] = field(default_factory=dict)
    held_out: float | None = None


class AbstractRecipe(ABC):
    """A named way to train any corrector.

    Attributes
    ----------
    name, title : str
    """

    name: str
    title: str

    @abstractmethod
    def fit(self, corrector: Corrector, dataset: "Dataset", *, seed: int, progress: Progress | None = None) -> Fit:
        """Train on the dataset's training trajectories, choosing on its validation trajectories.

        Raises
        ------
        AttnsError
            If the data cannot support the fit; the message says what to change.
        """

    @abstractmethod
    def with_options(self, **options: Any) -> "AbstractRecipe":
        """The same recipe with other options; unknown names are an error."""

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What decides the outcome besides data and seed."""
