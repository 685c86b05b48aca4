"""Levenberg-Marquardt on the weights inside the step, from least squares stage by stage."""

import time
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from attns_core.corrector import Corrector, TrainedCorrector
from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.fitting.selection import thinned
from attns_core.options import replace_options
from attns_core.recipe import AbstractRecipe, Fit, Progress


@final
@dataclass(frozen=True, kw_only=True)
class TableauLevenbergMarquardt(AbstractRecipe):
    """For learned tableaus; it evaluates the right-hand side and its Jacobian at the training states.

    Parameters
    ----------
    shared_iterations : int
        Most Levenberg-Marquardt steps with weights that all components share: few unknowns, which cost little
        and generalise best.
    iterations : int
        Most Levenberg-Marquardt steps after that with each component's own weights; none for ``head="shared"``.
    patience : int
        Steps that lower the held-out error by less than a hundredth in all before the search ends.
    pairs : int
        Pairs that are trained on, drawn by how hard they are
        (:func:`attns_core.fitting.learned_tableau.drawn`).
    check_pairs : int
        Held-out pairs that training is judged on.
    """

    name: str = field(default="tableau-lm", init=False)
    title: str = field(default="Levenberg-Marquardt inside the step", init=False)
    shared_iterations: int = 80
    iterations: int = 80
    patience: int = 15
    pairs: int = 1500
    check_pairs: int = 3000

    def fit(self, corrector: Corrector, dataset: Dataset, *, seed: int, progress: Progress | None = None) -> Fit:
        from attns_core.fitting.learned_tableau import drawn, improved, stage_by_stage, starting_nodes
        from attns_core.fitting.step_model import StepModel
        from attns_core.linearisation import Linearisation

        if not corrector.tableau:
            raise AttnsError(
                f"recipe {self.name!r} trains learned tableaus; corrector {corrector.name!r} has a term: use its "
                f"recipe {corrector.recipe!r}, or the corrector 'tableau'"
            )
        linearisation = Linearisation(dataset.equation)  # Compiling is not counted, as with solvers.
        start = time.perf_counter()
        whole = replace(dataset, units=dataset.scale)
        pairs, weight = drawn(whole.take(~dataset.held_out), self.pairs, seed)
        check = StepModel(thinned(whole.take(dataset.held_out), self.check_pairs, seed), linearisation, shared=True)
        model = StepModel(pairs, linearisation, weight, shared=True)
        phases = [(model, self.shared_iterations)]
        if corrector.head != "shared":
            phases.append((replace(model, shared=False), self.iterations))
        bare_training, bare = model.loss(model.bare()), check.loss(check.bare())
        curve: list[tuple[float, float, float]] = []
        most = sum(iterations for _, iterations in phases)

        def report(iteration: int, training: float, held_out: float) -> None:
            seconds = time.perf_counter() - start
            curve.append((seconds, training / bare_training, held_out / bare))
            if progress is not None:
                kind = "shared" if model.shared else "own"
                text = f"loss {curve[-1][1]:.2e}, held-out {curve[-1][2]:.2e}, {seconds:.0f} s"
                progress(min(1.0, len(curve) / most), f"{kind} weights, iteration {iteration}: {text}")

        rows, interrupted = stage_by_stage(model, starting_nodes(model)), False
        for model, iterations in phases:
            if interrupted:
                break
            rows, interrupted = improved(
                model, check, rows, iterations=iterations, patience=self.patience, report=report
            )
        seconds = time.perf_counter() - start
        held_out = check.loss(rows) / bare
        curve.append((seconds, model.loss(rows) / bare_training, held_out))
        trained = TrainedCorrector(
            input="u",
            mean=np.zeros(dataset.dim),
            scale=np.ones(dataset.dim),
            linear=False,
            tableau=model.added(rows),
        )
        return Fit(
            trained=trained,
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
