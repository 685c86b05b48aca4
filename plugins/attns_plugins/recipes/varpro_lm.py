"""Variable-projection Levenberg-Marquardt: trained features for networks of one hidden layer."""

import time
from dataclasses import dataclass, field
from typing import Any, final

from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.fitting.heads import fit_heads
from attns_core.fitting.ridge import RIDGES
from attns_core.fitting.selection import candidate_inputs, thinned
from attns_core.fitting.skeleton import skeleton
from attns_core.options import replace_options
from attns_core.recipe import AbstractRecipe, Fit, Progress


@final
@dataclass(frozen=True, kw_only=True)
class VariableProjection(AbstractRecipe):
    """Input and starting bandwidth by least squares, then the hidden layer by Levenberg-Marquardt.

    Parameters
    ----------
    iterations : int
        Most Levenberg-Marquardt steps.
    patience : int
        Steps without a better held-out error before the search ends.
    tolerance : float
        Held-out root mean square error, in the dataset's units, at which the search ends: in a sequence of
        correctors the easy steps then take few iterations and the hard ones many.
    starts : int
        Trainings from features drawn anew, of which that of least held-out error is kept: one in some thirty
        ends in a poor minimum, which its held-out error shows.
    bandwidths : tuple of float
        Starting bandwidths, chosen by a least-squares fit on held-out pairs.
    pairs : int
        Pairs that the features are trained on.
    max_pairs : int
        Pairs of the final least-squares fit of the heads.
    """

    name: str = field(default="varpro-lm", init=False)
    title: str = field(default="Variable-projection Levenberg-Marquardt", init=False)
    iterations: int = 60
    patience: int = 15
    tolerance: float = 0.0
    starts: int = 1
    bandwidths: tuple[float, ...] = (0.05, 0.25, 1.0)
    ridges: tuple[float, ...] = RIDGES
    pairs: int = 4000
    max_pairs: int = 12000

    def fit(self, corrector: Corrector, dataset: Dataset, *, seed: int, progress: Progress | None = None) -> Fit:
        # Imported here, with SciPy's factorisations: every start would wait for them.
        from attns_core.fitting.varpro import refuse_coupled_heads, train_features

        if self.starts < 1:
            raise AttnsError(f"recipe {self.name!r}: starts must be at least 1, got {self.starts!r}")
        refuse_coupled_heads(corrector, dataset.dim)
        if corrector.head == "auto":
            corrector = corrector.with_options(head="component")
        start = time.perf_counter()
        data = thinned(dataset, self.pairs, seed)
        found = []
        for name in candidate_inputs(corrector, dataset):
            for bandwidth in self.bandwidths:
                features = skeleton(corrector, data, name, bandwidth=bandwidth, seed=seed)
                found.append((fit_heads(corrector, features, data, ridges=self.ridges).held_out, bandwidth, name))
        _, bandwidth, name = min(found, key=lambda entry: entry[0])
        curve: list[tuple[float, float, float]] = []

        def report(iteration: int, training: float, held_out: float) -> None:
            seconds = time.perf_counter() - start
            curve.append((seconds, training, held_out))
            if progress is not None:
                most = self.iterations * self.starts
                left = seconds / len(curve) * (most - len(curve))
                text = f"iteration {iteration}/{self.iterations}, loss {training:.2e}, held-out {held_out:.2e}"
                progress(len(curve) / most, f"{text}, at most {left:.0f} s left")

        last = thinned(dataset, self.max_pairs, seed)
        trained, interrupted = [], False
        for again in range(self.starts):
            features, interrupted = train_features(
                corrector,
                skeleton(corrector, data, name, bandwidth=bandwidth, seed=seed, draw=again),
                data,
                iterations=self.iterations,
                patience=self.patience,
                tolerance=self.tolerance,
                report=report,
            )
            trained.append((fit_heads(corrector, features, last, ridges=self.ridges), features))
            if interrupted:
                break
        heads, features = min(trained, key=lambda entry: entry[0].held_out)
        seconds = time.perf_counter() - start
        curve.append((seconds, heads.training, heads.held_out))
        return Fit(
            trained=heads.trained,
            seconds=seconds,
            curve=tuple(curve),
            chosen={
                "input": features.input,
                "bandwidth": bandwidth,
                "iterations": len(curve) - 1,
                "starts": len(trained),
                "interrupted": interrupted,
                "ridge": heads.ridge.tolist(),
            },
            held_out=heads.held_out,
        )

    def with_options(self, **options: Any) -> "VariableProjection":
        return replace_options(self, f"recipe {self.name!r}", options)

    def identity(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.__dataclass_fields__ if key != "title"}


VARPRO_LM = VariableProjection()
