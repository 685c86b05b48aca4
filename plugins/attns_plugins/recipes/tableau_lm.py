"""Levenberg-Marquardt on the weights inside the step, from least squares stage by stage."""

import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, final

from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.options import replace_options
from attns_core.recipe import AbstractRecipe, Fit, Progress


@final
@dataclass(frozen=True, kw_only=True)
class TableauLevenbergMarquardt(AbstractRecipe):
    """For learned tableaus; it evaluates the right-hand side and its Jacobian at the training states.

    The search goes in rounds. Each draws its pairs anew by how badly the step does on them so far, so that rare hard
    states are found and kept; a stage of the search ends when a round lowers the held-out error by less than a
    twentieth, that of queries when two rounds in a row do.

    Parameters
    ----------
    blocks : sequence of int
        Stages of the search: how many blocks of neighbouring components have weights of their own, 1 for weights
        that all share. Few unknowns cost little and generalise best, so they come first. ``head="shared"`` stops
        after 1.
    starts : int
        Searches of one round from pairs of their own and different nodes; the best goes on.
    rounds : int
        Most rounds of each stage.
    query_rounds : int
        Most rounds of queries, which come last. They have several times the unknowns: give them as many more pairs.
    iterations : int
        Levenberg-Marquardt steps of a round.
    pairs : int
        Pairs that a round trains on, and held-out pairs that it is judged on.
    emphasis : float
        How much more the hard pairs among them count than in a mean over all pairs: 0 not at all, which is the mean
        squared error; 1 so much that all drawn pairs count alike, which is about the mean cubed error. Where rare
        states decide the error of an ensemble, a training set has too few of them.
    """

    name: str = field(default="tableau-lm", init=False)
    title: str = field(default="Levenberg-Marquardt inside the step", init=False)
    blocks: tuple[int, ...] = (1, 2, 4)
    starts: int = 3
    rounds: int = 3
    query_rounds: int = 6
    iterations: int = 20
    pairs: int = 2500
    emphasis: float = 0.0

    def __post_init__(self) -> None:
        if not self.blocks or self.blocks[0] < 1 or any(a >= b for a, b in pairwise(self.blocks)):
            raise AttnsError(
                f"recipe {self.name!r}: blocks must be numbers of at least 1, each larger than the one before, "
                f"got {self.blocks!r}"
            )
        for option in ("starts", "rounds", "query_rounds", "iterations", "pairs"):
            if getattr(self, option) < 1:
                raise AttnsError(f"recipe {self.name!r}: {option} must be at least 1, got {getattr(self, option)!r}")
        if not 0 <= self.emphasis <= 1:
            raise AttnsError(f"recipe {self.name!r}: emphasis must be between 0 and 1, got {self.emphasis!r}")

    def fit(self, corrector: Corrector, dataset: Dataset, *, seed: int, progress: Progress | None = None) -> Fit:
        from attns_core.fitting.tableau_search import TableauSearch
        from attns_core.linearisation import Linearisation

        if not corrector.tableau:
            raise AttnsError(
                f"recipe {self.name!r} trains learned tableaus; corrector {corrector.name!r} has a term: use its "
                f"recipe {corrector.recipe!r}, or the corrector 'tableau'"
            )
        linearisation = Linearisation(dataset.equation)  # Compiling is not counted, as with solvers.
        start = time.perf_counter()
        search = TableauSearch(dataset, linearisation, pairs=self.pairs, emphasis=self.emphasis, seed=seed)
        curve: list[tuple[float, float, float]] = []
        blocks = (1,) if corrector.head == "shared" else self.blocks
        rounds = self.starts + self.rounds * len(blocks) + (self.query_rounds if corrector.queries else 0)
        most = rounds * self.iterations

        def report(title: str, training: float, held_out: float) -> None:
            seconds = time.perf_counter() - start
            curve.append((seconds, training / search.bare, held_out / search.bare))
            if progress is not None:
                text = f"loss {curve[-1][1]:.2e}, held-out {curve[-1][2]:.2e}, {seconds:.0f} s"
                progress(min(1.0, len(curve) / most), f"{title}, iteration {len(curve)}: {text}")

        if corrector.queries:
            search.ask(corrector.queries, degree=corrector.degree, blocks=max(blocks))
        interrupted = search.run(
            blocks=blocks, starts=self.starts, rounds=self.rounds, iterations=self.iterations, report=report
        )
        if corrector.queries and not interrupted:
            interrupted = search.attend(rounds=self.query_rounds, iterations=self.iterations, report=report)
        seconds = time.perf_counter() - start
        training, held_out = search.training_loss() / search.bare, search.held_out_loss / search.bare
        curve.append((seconds, training, held_out))
        return Fit(
            trained=search.trained(),
            seconds=seconds,
            curve=tuple(curve),
            chosen={"input": "u", "iterations": len(curve) - 1, "interrupted": interrupted},
            held_out=held_out,
        )

    def with_options(self, **options: Any) -> "TableauLevenbergMarquardt":
        return replace_options(self, f"recipe {self.name!r}", options)

    def identity(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.__dataclass_fields__ if key != "title"}


TABLEAU_LM = TableauLevenbergMarquardt()
