"""Ridge least squares on random or polynomial features: fits in about a second, to round-off where it can."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, final

from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.fitting.heads import HeadFit, fit_heads
from attns_core.fitting.low_rank import compress
from attns_core.fitting.ridge import RIDGES
from attns_core.fitting.selection import candidate_inputs, some_components, thinned
from attns_core.fitting.skeleton import skeleton
from attns_core.options import replace_options
from attns_core.recipe import AbstractRecipe, Fit, Progress


@final
@dataclass(frozen=True, kw_only=True)
class LeastSquares(AbstractRecipe):
    """Features are drawn or listed, heads are solved for; everything else is chosen on held-out pairs.

    Parameters
    ----------
    bandwidths : tuple of float
        Feature bandwidths to choose from (networks only).
    ridges : tuple of float
        Ridges to choose from, relative to the largest singular value squared; ``(0,)`` for none.
    select_pairs, select_components : int
        Pairs and components used while choosing.
    max_pairs : int
        Pairs of the final fit.
    """

    name: str = field(default="lsq", init=False)
    title: str = field(default="Ridge least squares", init=False)
    bandwidths: tuple[float, ...] = (0.0125, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
    ridges: tuple[float, ...] = RIDGES
    select_pairs: int = 4000
    select_components: int = 6
    max_pairs: int = 12000

    def fit(self, corrector: Corrector, dataset: Dataset, *, seed: int, progress: Progress | None = None) -> Fit:
        start = time.perf_counter()
        small = some_components(thinned(dataset, self.select_pairs, seed), self.select_components)
        grid = [(name, b) for name in candidate_inputs(corrector, dataset) for b in self._bandwidths(corrector)]
        best: tuple[float, str, float] | None = None
        curve: list[tuple[float, float, float]] = []
        interrupted = False
        try:
            for i, (name, bandwidth) in enumerate(grid if len(grid) > 1 else []):
                found = self._solve(corrector, small, name, bandwidth, seed)
                seconds = time.perf_counter() - start
                curve.append((seconds, found.training, found.held_out))
                if best is None or found.held_out < best[0]:
                    best = (found.held_out, name, bandwidth)
                if progress is not None:
                    left = seconds / (i + 1) * (len(grid) - i)
                    text = f"input {name}, bandwidth {bandwidth:g}: held-out {found.held_out:.2e}, {left:.0f} s left"
                    progress((i + 1) / (len(grid) + 1), text)
        except KeyboardInterrupt:
            if best is None:
                raise
            interrupted = True
        _, name, bandwidth = best or (0.0, *grid[0])
        found = self._solve(corrector, thinned(dataset, self.max_pairs, seed), name, bandwidth, seed)
        if corrector.rank is not None:
            found = compress(corrector, found, thinned(dataset, self.max_pairs, seed), self.ridges)
        seconds = time.perf_counter() - start
        curve.append((seconds, found.training, found.held_out))
        chosen: dict[str, Any] = {"input": name, "ridge": found.ridge.tolist(), "interrupted": interrupted}
        if corrector.features == "network":
            chosen["bandwidth"] = bandwidth
        return Fit(trained=found.trained, seconds=seconds, curve=tuple(curve), chosen=chosen, held_out=found.held_out)

    def with_options(self, **options: Any) -> "LeastSquares":
        return replace_options(self, f"recipe {self.name!r}", options)

    def identity(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.__dataclass_fields__ if key != "title"}

    def _bandwidths(self, corrector: Corrector) -> Sequence[float]:
        return self.bandwidths if corrector.features == "network" else (1.0,)

    def _solve(self, corrector: Corrector, data: Dataset, name: str, bandwidth: float, seed: int) -> HeadFit:
        features = skeleton(corrector, data, name, bandwidth=bandwidth, seed=seed)
        return fit_heads(corrector, features, data, ridges=self.ridges)


LSQ = LeastSquares()
