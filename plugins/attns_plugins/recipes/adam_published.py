"""The training recipe published with NeurVec, to the letter."""

import time
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.fitting.descent import descend, optimiser_named, pairs_per_pass, training_device
from attns_core.fitting.selection import candidate_inputs
from attns_core.fitting.skeleton import project, skeleton
from attns_core.options import replace_options
from attns_core.recipe import AbstractRecipe, Fit, Progress
from attns_core.trained_corrector import Layer, TrainedCorrector


@final
@dataclass(frozen=True, kw_only=True)
class AdamPublished(AbstractRecipe):
    """One-step error of ``u + S + C`` against the next state, in single precision and raw units.

    Adam at 1e-3 with betas (0.9, 0.999), a cosine to zero over all iterations, 500 epochs of batches
    of 16384 pairs (8096 for the spring chain with Euler), errors times 1e6 for the elastic pendulum;
    no normalisation, PyTorch's default initialisation of linear layers. The published code keeps no
    held-out pairs in training; here they choose the checkpoint and otherwise stay out, as in every
    other recipe.

    Source: Huang et al., Scientific Reports 13, 15254 (2023), and its code.
    """

    name: str = field(default="adam-published", init=False)
    title: str = field(default="Published NeurVec recipe", init=False)
    epochs: int = 500
    lr: float = 1e-3
    device: str = "cpu"

    def fit(self, corrector: Corrector, dataset: Dataset, *, seed: int, progress: Progress | None = None) -> Fit:
        import torch

        from attns_core.backends.torch_corrector import CorrectorModule

        start, device = time.perf_counter(), training_device(self.name, self.device)
        names = list(candidate_inputs(corrector, dataset))
        if len(names) > 1:
            raise AttnsError("the published recipe has no choice of input; set the corrector's input")
        first = self._start(corrector, dataset, names[0], seed)
        module = CorrectorModule.from_trained(first, dtype=torch.float32, device=device)
        parameters = [p for p in module.parameters() if p.numel()]

        def tensor(a: Any) -> Any:
            return torch.tensor(a, dtype=torch.float32, device=device)

        u, S, k = tensor(dataset.u), tensor(dataset.S), tensor(dataset.k)
        following = tensor(dataset.u + dataset.S + dataset.r)
        spring_euler = dataset.equation.name == "spring-chain" and dataset.method.name == "euler"
        factor = 1e6 if dataset.equation.name == "elastic-pendulum" else 1.0
        train = torch.from_numpy(np.flatnonzero(~dataset.held_out))
        check = torch.from_numpy(np.flatnonzero(dataset.held_out))

        def residual(index: Any) -> Any:
            stages = k[:, :, index] if module.needs_stages else None
            term = module(u[:, index], S[:, index], stages, dataset.dt)
            return u[:, index] + S[:, index] + term - following[:, index]

        weight, true = tensor(1 / dataset.scale[:, None]), tensor(dataset.r)

        def relative(index: Any) -> float:
            error = sum(float((residual(some) * weight).square().sum()) for some in index.split(part))
            return error / float((true[:, index] * weight).square().sum())

        part = pairs_per_pass(corrector.width)
        batch = min(8096 if spring_euler else 16384, train.numel())
        steps = self.epochs * max(1, train.numel() // batch)
        curve, interrupted = descend(
            optimiser_named("Adam", parameters, lr=self.lr, betas=(0.9, 0.999)),
            parameters,
            lambda index: factor * residual(train[index]).square().mean(),
            lambda: (relative(train), relative(check)),
            pairs=train.numel(),
            batch=batch,
            steps=steps,
            seed=seed,
            part=part,
            checks=50,
            progress=progress,
        )
        return Fit(
            trained=module.to_trained(),
            seconds=time.perf_counter() - start,
            curve=tuple(curve),
            chosen={"input": names[0], "interrupted": interrupted, "steps": steps, "batch": batch},
        )

    @staticmethod
    def _start(corrector: Corrector, dataset: Dataset, name: str, seed: int) -> TrainedCorrector:
        """Raw inputs and the default initialisation of linear layers, uniform in +-1/sqrt(inputs)."""
        rng = np.random.default_rng([seed, 17])
        plain = project(corrector, skeleton(corrector, dataset, name, bandwidth=1.0, seed=seed), seed)

        def uniform(fan_in: int, *shape: int) -> Any:
            return rng.uniform(-1, 1, size=shape) / np.sqrt(fan_in)

        layers: list[Layer] = []
        for layer in plain.layers:
            width, fan_in = layer.weight.shape
            layers.append(replace(layer, weight=uniform(fan_in, width, fan_in), bias=uniform(fan_in, width)))
        n, dim = plain.n_features, dataset.dim
        heads = 1 if corrector.shares_weights(dim) else dim
        n_values = 0 if plain.values is None else len(plain.values)
        return replace(
            plain,
            mean=np.zeros_like(plain.mean),
            scale=np.ones_like(plain.scale),
            layers=tuple(layers),
            offset=uniform(n - 1, n, dim) if corrector.offset else None,
            weights=uniform(n - 1, n, n_values, heads) if n_values else None,
        )

    def with_options(self, **options: Any) -> "AdamPublished":
        return replace_options(self, f"recipe {self.name!r}", options)

    def identity(self) -> dict[str, Any]:
        # The device changes rounding only.
        return {key: getattr(self, key) for key in self.__dataclass_fields__ if key not in ("title", "device")}


ADAM_PUBLISHED = AdamPublished()
