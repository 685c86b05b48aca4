"""Gradient descent on the normalised residual."""

import time
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from attns_core.corrector import Corrector, TrainedCorrector
from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.fitting.descent import descend, optimiser_named, pairs_per_pass, training_device
from attns_core.fitting.heads import fit_heads, value_stack
from attns_core.fitting.selection import candidate_inputs, refuse_reduced_heads, thinned
from attns_core.fitting.skeleton import skeleton
from attns_core.options import replace_options
from attns_core.recipe import AbstractRecipe, Fit, Progress


@final
@dataclass(frozen=True, kw_only=True)
class Adam(AbstractRecipe):
    """Standardised inputs, values and residuals, heads that start at zero, all weights trained together.

    The first layer starts from random features of bandwidth 1; the network is in single precision,
    which the normalisation of the residual makes harmless.

    Parameters
    ----------
    optimiser : str
        Any optimiser of ``torch.optim``.
    lr : float
        Start of the cosine schedule.
    steps, batch : int
    last_layer : {"trained", "lsq"}
        Whether the heads are finally solved for by ridge least squares in double precision.
    device : str
        ``cpu``, ``cuda`` or ``cuda:N``.
    """

    name: str = field(default="adam", init=False)
    title: str = field(default="Normalised residual fitting by gradient descent", init=False)
    optimiser: str = "Adam"
    lr: float = 1e-2
    steps: int = 800
    batch: int = 2048
    bandwidth: float = 1.0
    last_layer: str = "trained"
    device: str = "cpu"

    def fit(self, corrector: Corrector, dataset: Dataset, *, seed: int, progress: Progress | None = None) -> Fit:
        if self.last_layer not in ("trained", "lsq"):
            raise AttnsError(f"recipe 'adam': last_layer must be 'trained' or 'lsq', got {self.last_layer!r}")
        refuse_reduced_heads(corrector, self.name)
        if corrector.head == "auto":
            corrector = corrector.with_options(head="component")
        start = time.perf_counter()
        best: Fit | None = None
        for name in candidate_inputs(corrector, dataset):
            fit = self._one(corrector, dataset, name, seed, progress)
            if best is None or fit.curve[-1][2] < best.curve[-1][2]:
                best = fit
            if fit.chosen["interrupted"]:
                break
        assert best is not None
        return replace(best, seconds=time.perf_counter() - start)

    def _one(self, corrector: Corrector, data: Dataset, name: str, seed: int, progress: Progress | None) -> Fit:
        import torch

        from attns_core.backends.torch_corrector import CorrectorModule

        device = training_device(self.name, self.device)
        start = skeleton(corrector, data, name, bandwidth=self.bandwidth, seed=seed)
        module = CorrectorModule.from_trained(start, dtype=torch.float32, device=device)
        V = value_stack(start, data)
        spread = np.maximum(np.sqrt(np.mean(V**2, axis=2, keepdims=True)), 1e-300)
        unit = np.maximum(data.r.std(axis=1, keepdims=True), 1e-300)

        def tensor(a: Any) -> Any:
            return torch.tensor(a, dtype=torch.float32, device=device)

        x, values, target = tensor(data.inputs(name)), tensor(V / spread), tensor(data.r / unit)
        heads_shape = (start.n_features, int(corrector.offset) + len(V), data.dim)
        heads = torch.nn.Parameter(torch.zeros(heads_shape, device=device))
        parameters = [*(p for p in module.parameters() if p.numel()), heads]

        def residual(index: Any) -> Any:
            weighted = torch.einsum("fn,fbd->bdn", module.features(x[:, index]), heads)
            term = weighted[0] if corrector.offset else 0.0
            if len(V):
                term = term + (weighted[int(corrector.offset) :] * values[:, :, index]).sum(dim=0)
            return term - target[:, index]

        train = torch.from_numpy(np.flatnonzero(~data.held_out))
        check = torch.from_numpy(np.flatnonzero(data.held_out))
        weight = tensor(unit / data.scale[:, None])

        def relative(index: Any) -> float:
            error, bare = (residual(index) * weight).square().mean(), (target[:, index] * weight).square().mean()
            return float(error / bare)

        curve, interrupted = descend(
            optimiser_named(self.optimiser, parameters, lr=self.lr),
            parameters,
            lambda index: residual(train[index]).square().mean(),
            lambda: (relative(train), relative(check)),
            pairs=train.numel(),
            batch=self.batch,
            steps=self.steps,
            seed=seed,
            part=pairs_per_pass(corrector.width),
            progress=progress,
        )
        found = heads.detach().cpu().numpy().astype(np.float64)
        trained = self._assembled(module.to_trained(), corrector, start, found, unit, spread)
        chosen = {"input": name, "interrupted": interrupted}
        held_out = None
        if self.last_layer == "lsq":
            solved = fit_heads(corrector, trained, thinned(data, 12000, seed))
            trained, held_out = solved.trained, solved.held_out
            curve.append((curve[-1][0], solved.training, solved.held_out))
        return Fit(trained=trained, seconds=curve[-1][0], curve=tuple(curve), chosen=chosen, held_out=held_out)

    @staticmethod
    def _assembled(
        learned: TrainedCorrector,
        corrector: Corrector,
        start: TrainedCorrector,
        heads: Any,
        unit: Any,
        spread: Any,
    ) -> TrainedCorrector:
        """Heads in physical units on the learned layers; the standardisation keeps double precision."""
        offset = heads[:, 0] * unit[:, 0] if corrector.offset else None
        weights = heads[:, int(corrector.offset) :] * unit[:, 0] / spread[None, :, :, 0] if len(spread) else None
        return replace(learned, mean=start.mean, scale=start.scale, offset=offset, weights=weights)

    def with_options(self, **options: Any) -> "Adam":
        return replace_options(self, f"recipe {self.name!r}", options)

    def identity(self) -> dict[str, Any]:
        # The device changes rounding only.
        return {key: getattr(self, key) for key in self.__dataclass_fields__ if key not in ("title", "device")}


ADAM = Adam()
