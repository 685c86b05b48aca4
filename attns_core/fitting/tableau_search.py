"""The search for a learned tableau: rounds of Levenberg-Marquardt on pairs drawn anew by what is still wrong.

Weights that are the same for all states come first; queries, where there are any, begin from them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np

from attns_core.dataset import Dataset
from attns_core.fitting.attentive_model import AttentiveModel, AttentiveRows, QueryBasis
from attns_core.fitting.learned_tableau import drawn, stage_by_stage, starting_nodes
from attns_core.fitting.levenberg_marquardt import DAMPING, Improved, Report, improved
from attns_core.fitting.step_model import Rows, StepModel
from attns_core.linearisation import Linearisation
from attns_core.trained_corrector import TrainedCorrector
from attns_core.types import Array

_CLUSTERED = (0.5, 0.65, 0.35, 0.8)
"""How far the nodes of each start are clustered at the ends of the step; further starts begin again."""
_FEWER = 3
"""Starts make do with a third of the pairs: they are to be told apart, not to be trained."""
_REGAINED = 100.0
"""Damping that a round of new pairs begins with, in terms of what the one before ended with."""
_WORTH = 0.95
"""A round that leaves more than this fraction of the held-out error was not worth another."""
_POOR = 2
"""Rounds of queries in a row that may be so: of their many weights, a few hard pairs hide what a round has gained."""


@final
class TableauSearch:
    """Rows found so far, and the pairs that they are judged on.

    Parameters
    ----------
    dataset : Dataset
    linearisation : Linearisation
        Of its equation.
    pairs : int
        Pairs that a round trains on, and held-out pairs that it is judged on.
    emphasis : float
        How much more hard pairs count than in the mean over all: 0 not at all, 1 all drawn pairs count alike.
    seed : int

    Attributes
    ----------
    rows : list of array
        The weights found.
    bare : float
        Mean squared error of the method's own step on the held-out pairs.
    held_out_loss : float
        That of the step with the weights found.
    training : StepModel
        The steps of all training pairs.
    """

    def __init__(
        self, dataset: Dataset, linearisation: Linearisation, *, pairs: int, emphasis: float = 0.0, seed: int
    ) -> None:
        # The method's own stages are not needed, and of many stages and pairs they are large.
        whole = replace(dataset, units=dataset.scale, k=dataset.k[:0])
        self._pairs, self._emphasis, self._seed, self._drawn = pairs, emphasis, seed, 0
        parts = (whole.take(~dataset.held_out), whole.take(dataset.held_out))
        self.training, self._held_out = (StepModel(part, linearisation, blocks=1) for part in parts)
        own = self.training.bare()
        self.bare = self._held_out.loss(own)
        # By the root of the method's own errors, which say less about what will be hard than a trained step's do.
        self._shares = tuple(np.sqrt(_finite(model.sizes(own))) for model in (self.training, self._held_out))
        self.rows: Rows = own
        self.held_out_loss = self.bare
        self._asked: tuple[AttentiveModel, ...] = ()
        self._attentive: AttentiveRows | None = None

    def run(
        self, *, blocks: Sequence[int], starts: int, rounds: int, iterations: int, report: Report | None = None
    ) -> bool:
        """The whole search; whether the keyboard ended it, with the best so far.

        Raises
        ------
        AttnsError
            If so many blocks have more weights than dense derivatives can be made of.
        """
        replace(self.training, blocks=max(blocks))
        for start in range(starts):
            model, check = self._models(blocks[0], max(1, self._pairs // _FEWER))
            rows = stage_by_stage(model, starting_nodes(model, _CLUSTERED[start % len(_CLUSTERED)]))
            if self._round(model, check, rows, iterations, DAMPING, report).interrupted:
                return True
        for sets in blocks:
            damping = DAMPING
            for _ in range(rounds):
                self._shares = tuple(_finite(model.sizes(self.rows)) for model in (self.training, self._held_out))
                before = self.held_out_loss
                found = self._round(*self._models(sets, self._pairs), self.rows, iterations, damping, report)
                if found.interrupted:
                    return True
                damping = _regained(found.damping)
                if self.held_out_loss > _WORTH**2 * before:
                    break
        return False

    def ask(self, queries: int, *, degree: int, blocks: int) -> None:
        """Say what weights are to depend on in :meth:`attend`.

        Parameters
        ----------
        queries : int
        degree : int
            Total degree of the queries in the state.
        blocks : int
            Blocks of components that have weights of their own.

        Raises
        ------
        AttnsError
            If there are more unknowns than dense derivatives can be made of.
        """
        basis = QueryBasis.of(self.training.data.u, degree)
        steps = (replace(step, blocks=blocks) for step in (self.training, self._held_out))
        self._asked = tuple(AttentiveModel(step, basis, queries) for step in steps)

    def attend(self, *, rounds: int, iterations: int, report: Report | None = None) -> bool:
        """Rounds on the weights found and on queries; whether the keyboard ended it, with the best so far."""
        training, held_out = self._asked
        weights, damping, poor = training.begun(self.rows, self._seed), DAMPING, 0
        for _ in range(rounds):
            self._shares = tuple(_finite(model.sizes(weights)) for model in self._asked)
            before = self.held_out_loss
            drawn_pairs = self._models(training.step.sets, self._pairs)
            model, check = (AttentiveModel(step, training.basis, training.count) for step in drawn_pairs)
            found = improved(model, check, weights, iterations=iterations, damping=damping, report=report)
            damping = _regained(found.damping)
            loss = held_out.loss(found.weights)
            if loss < self.held_out_loss:
                self._attentive, self.held_out_loss, weights = found.weights, loss, found.weights
            if found.interrupted:
                return True
            poor = poor + 1 if self.held_out_loss > _WORTH**2 * before else 0
            if poor == _POOR:
                break
        return False

    def trained(self) -> TrainedCorrector:
        """The best weights found."""
        if self._attentive is not None:
            return self._asked[0].trained(self._attentive)
        dim = self.training.data.dim
        tableau = self.training.added(self.rows)[None]
        return TrainedCorrector(input="u", mean=np.zeros(dim), scale=np.ones(dim), linear=False, tableau=tableau)

    def training_loss(self) -> float:
        """Mean squared error of the step with them on the training pairs."""
        return self.training.loss(self.rows) if self._attentive is None else self._asked[0].loss(self._attentive)

    def _models(self, blocks: int, pairs: int) -> tuple[StepModel, StepModel]:
        """About ``pairs`` for the next round, and as many that it is judged on."""
        self._drawn += 1

        def model(whole: StepModel, share: Array) -> StepModel:
            data, weight = drawn(whole.data, share, pairs, self._seed + 1000 * self._drawn)
            return StepModel(data, whole.lin, weight ** (1 - self._emphasis), blocks)

        mine, held_out = self._shares
        return model(self.training, mine), model(self._held_out, held_out)

    def _round(
        self, model: StepModel, check: StepModel, rows: Rows, iterations: int, damping: float, report: Report | None
    ) -> Improved[Rows]:
        """Where a round ended, kept if it is better on all held-out pairs."""
        found = improved(model, check, rows, iterations=iterations, damping=damping, report=report)
        loss = self._held_out.loss(found.weights)
        if loss < self.held_out_loss:
            self.rows, self.held_out_loss = found.weights, loss
        return found


def _regained(damping: float) -> float:
    """Where the next round begins: a dozen iterations from the first damping would be lost."""
    return min(DAMPING, _REGAINED * damping)


def _finite(sizes: Array) -> Array:
    """Sizes to draw pairs by: those whose step left the numbers count as the largest that did not."""
    known = np.isfinite(sizes)
    return np.where(known, sizes, sizes[known].max() if known.any() else 1.0)
