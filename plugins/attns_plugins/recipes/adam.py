"""Gradient descent on the normalised residual."""

import time
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.fitting.descent import descend, optimiser_named, pairs_per_pass, training_device
from attns_core.fitting.heads import fit_heads, value_stack
from attns_core.fitting.selection import candidate_inputs, thinned
from attns_core.fitting.skeleton import project, skeleton
from attns_core.options import replace_options
from attns_core.recipe import AbstractRecipe, Fit, Progress


@final
@dataclass(frozen=True, kw_only=True)
class Adam(AbstractRecipe):
    """Standardised inputs, values and residuals, heads that start at zero, all weights trained together.

    The first layer starts from random features; the network is in single precision, which the
    normalisation of the residual makes harmless.

    Parameters
    ----------
    optimiser : str
        Any optimiser of ``torch.optim``.
    lr : float
        Start of the cosine schedule.
    steps, batch : int
    bandwidth : float
        Of the random features at the start, see :func:`attns_core.fitting.skeleton.skeleton`.
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
    bandwidth: float = 0.3
    last_layer: str = "trained"
    device: str = "cpu"

    def fit(self, corrector: Corrector, dataset: Dataset, *, seed: int, progress: Progress | None = None) -> Fit:
        if self.last_layer not in ("trained", "lsq"):
            raise AttnsError(f"recipe 'adam': last_layer must be 'trained' or 'lsq', got {self.last_layer!r}")
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
        start = project(corrector, skeleton(corrector, data, name, bandwidth=self.bandwidth, seed=seed), seed)
        module = CorrectorModule.from_trained(start, dtype=torch.float32, device=device)
        std = data.r.std(axis=1, keepdims=True)
        unit = np.where(std > 0, std, 1.0)
        shared = corrector.shares_weights(data.dim)
        # Values in units of their component's residual; one spread for all components where they share weights.
        V = value_stack(start, data) / unit
        spread = np.maximum(np.sqrt(np.mean(V**2, axis=(1, 2) if shared else 2, keepdims=True)), 1e-300)

        def tensor(a: Any) -> Any:
            return torch.tensor(a, dtype=torch.float32, device=device)

        def array(parameter: Any) -> Any:
            return parameter.detach().cpu().numpy().astype(np.float64)

        x, values, target = tensor(data.inputs(name)), tensor(V / spread), tensor(data.r / unit)
        n, dim = start.n_features, data.dim
        offset = torch.nn.Parameter(torch.zeros((n, dim if corrector.offset else 0), device=device))
        weights = torch.nn.Parameter(torch.zeros((n, len(V), 1 if shared else dim), device=device))
        parameters = [*(p for p in module.parameters() if p.numel()), *(p for p in (offset, weights) if p.numel())]

        def residual(index: Any) -> Any:
            phi, term = module.features(x[:, index]), -target[:, index]
            if corrector.offset:
                term = torch.addmm(term, offset.T, phi)
            if len(V):
                term = term + (torch.einsum("fn,fvd->vdn", phi, weights) * values[:, :, index]).sum(dim=0)
            return term

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
        # The standardisation keeps double precision; heads go back to physical units.
        trained = replace(
            module.to_trained(),
            mean=start.mean,
            scale=start.scale,
            offset=array(offset) * unit[:, 0] if corrector.offset else None,
            weights=array(weights) / spread[:, :, 0] if len(V) else None,
        )
        chosen = {"input": name, "interrupted": interrupted}
        held_out = None
        if self.last_layer == "lsq":
            solved = fit_heads(corrector, trained, thinned(data, 12000, seed))
            trained, held_out = solved.trained, solved.held_out
            curve.append((curve[-1][0], solved.training, solved.held_out))
        return Fit(trained=trained, seconds=curve[-1][0], curve=tuple(curve), chosen=chosen, held_out=held_out)

    def with_options(self, **options: Any) -> "Adam":
        return replace_options(self, f"recipe {self.name!r}", options)

    def identity(self) -> dict[str, Any]:
        # The device changes rounding only.
        return {key: getattr(self, key) for key in self.__dataclass_fields__ if key not in ("title", "device")}


ADAM = Adam()
