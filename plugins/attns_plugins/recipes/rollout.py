"""Training through the solver: the loss is the error of several steps in a row."""

import time
from dataclasses import dataclass, field, replace
from typing import Any, final

import numpy as np

from attns_core.correction import features
from attns_core.corrector import Corrector
from attns_core.dataset import Dataset
from attns_core.errors import AttnsError
from attns_core.fitting.descent import descend, optimiser_named, training_device
from attns_core.options import replace_options
from attns_core.recipe import AbstractRecipe, Fit, Progress
from attns_core.trained_corrector import TrainedCorrector
from attns_plugins.recipes.adam import ADAM
from attns_plugins.recipes.lsq import LSQ

_STARTS = {"lsq": LSQ, "adam": ADAM}


@final
@dataclass(frozen=True, kw_only=True)
class Rollout(AbstractRecipe):
    """A one-step fit, refined by gradients through the corrected solver over growing horizons.

    The loss is the mean over ``m`` of the squared error after ``m`` steps divided by the bare
    method's. Every batch first takes some steps without gradient, so that the corrector is trained on
    the states it will itself produce (the pushforward trick: Brandstetter, Worrall, Welling, Message
    Passing Neural PDE Solvers, ICLR 2022). Heads are trained in
    the coordinates in which the features of the training states are orthonormal, and everything with
    rates proportional to the error that the start leaves. A start by ``lsq`` is usually at the optimum
    of its heads already (then train the heads alone: hidden layers under ill-conditioned heads cannot
    move); one by ``adam`` gains most. What is kept is the best on held-out
    segments of the longest horizon, the start included.

    Parameters
    ----------
    start : {"lsq", "adam"}
        Recipe of the one-step fit.
    horizons : tuple of int
        Steps with gradient, in turn; cut where the trajectories are shorter.
    pushforward : int
        Most steps without gradient before them.
    steps, batch : int
        Optimiser steps per horizon, and segments in each.
    optimiser : str
        Any optimiser of ``torch.optim``.
    lr : float
        Start of the cosine schedule, relative to the root of the start's held-out error.
    layers : bool
        Whether hidden layers are trained too, or the heads alone.
    checkpoint : int, optional
        See :func:`attns_core.backends.torch_rollout.rollout`.
    device : str
        ``cpu``, ``cuda`` or ``cuda:N``.
    """

    name: str = field(default="rollout", init=False)
    title: str = field(default="Multi-step loss through the solver", init=False)
    start: str = "adam"
    horizons: tuple[int, ...] = (2, 4, 8)
    pushforward: int = 4
    steps: int = 60
    batch: int = 256
    optimiser: str = "Adam"
    lr: float = 5e-3
    layers: bool = True
    checkpoint: int | None = None
    device: str = "cpu"

    def fit(self, corrector: Corrector, dataset: Dataset, *, seed: int, progress: Progress | None = None) -> Fit:
        training_device(self.name, self.device)
        if self.start not in _STARTS:
            raise AttnsError(f"recipe 'rollout': start must be one of {sorted(_STARTS)}, got {self.start!r}")
        if not self.horizons or min(self.horizons) < 1 or self.pushforward < 0:
            raise AttnsError("recipe 'rollout': horizons must be at least 1 and pushforward at least 0")
        start = time.perf_counter()
        # The start never sees the held-out pairs, or they could not tell whether it got better.
        seen = _with_own_held_out(dataset.take(~dataset.held_out))
        first = _STARTS[self.start].fit(corrector, seen, seed=seed)
        segments = _Segments(dataset, self.horizons, self.pushforward)
        curve: list[tuple[float, float, float]] = []
        training = _Training(self, first.trained, dataset, segments)
        interrupted = False
        for i, horizon in enumerate(segments.horizons):

            def report(fraction: float, text: str, i: int = i, horizon: int = horizon) -> None:
                if progress is not None:
                    progress((i + fraction) / len(segments.horizons), f"horizon {horizon}: {text}")

            began = time.perf_counter() - start
            points, interrupted = training.run(horizon, seed + i, report)
            curve += [(began + seconds, training_loss, held_out) for seconds, training_loss, held_out in points]
            if interrupted:
                break
        chosen = {
            "input": first.trained.input,
            "start": self.start,
            "horizons": list(segments.horizons),
            "pushforward": segments.pushforward,
            "improved": min(point[2] for point in curve) < curve[0][2],
            "interrupted": interrupted,
        }
        return Fit(trained=training.result(), seconds=time.perf_counter() - start, curve=tuple(curve), chosen=chosen)

    def with_options(self, **options: Any) -> "Rollout":
        return replace_options(self, f"recipe {self.name!r}", options)

    def identity(self) -> dict[str, Any]:
        # The device changes rounding only.
        return {key: getattr(self, key) for key in self.__dataclass_fields__ if key not in ("title", "device")}


class _Segments:
    """Where segments of consecutive pairs start, for training and for judging."""

    def __init__(self, data: Dataset, horizons: tuple[int, ...], pushforward: int) -> None:
        self.next_state = data.u + data.S + data.r
        follows = (
            (np.diff(data.trajectory) == 0)
            & (np.diff(data.held_out.astype(int)) == 0)
            & (np.abs(np.diff(data.t) - data.dt) <= 1e-6 * data.dt)
        )
        run = np.ones(data.n, dtype=np.int64)
        for i in range(data.n - 2, -1, -1):
            if follows[i]:
                run[i] = run[i + 1] + 1
        longest = min(int(run[mask].max(initial=0)) for mask in (data.held_out, ~data.held_out))
        if longest < 1:
            raise AttnsError(f"{data.n} pairs leave none to train or to judge on; use more trajectories")
        self.horizons = tuple(sorted({min(h, longest) for h in horizons}))
        self.pushforward = min(pushforward, longest - self.horizons[-1])
        reach = self.pushforward + self.horizons[-1]
        self.train = np.flatnonzero(~data.held_out & (run >= reach))
        self.check = np.flatnonzero(data.held_out & (run >= reach))


class _Training:
    """The corrector on its way: heads as start plus change in orthonormal coordinates."""

    def __init__(self, recipe: Rollout, start: TrainedCorrector, data: Dataset, segments: _Segments) -> None:
        import torch

        from attns_core.backends.torch_corrector import CorrectorModule

        self.recipe, self.data, self.segments, self.start = recipe, data, segments, start

        def tensor(a: Any) -> Any:
            return torch.tensor(np.asarray(a, dtype=np.float64), device=recipe.device)

        self.module = CorrectorModule.from_trained(start, device=recipe.device)
        self.heads = {name: tensor(v) for name in ("offset", "weights") if (v := getattr(start, name)) is not None}
        for name in self.heads:
            # From here on these are results of a computation, not parameters of the module.
            delattr(self.module, name)
        self.basis = tensor(_orthonormal(start, data))
        self.units = {name: tensor(unit) for name, unit in _units(start, data).items() if name in self.heads}
        self.change = {
            name: torch.zeros((self.basis.shape[1], *h.shape[1:]), dtype=h.dtype, device=h.device, requires_grad=True)
            for name, h in self.heads.items()
        }
        self.u, self.target, self.t = tensor(data.u), tensor(segments.next_state), tensor(data.t)
        self.scale = tensor(data.scale[:, None])
        self.limit = 10.0 * float(np.abs(data.u).max())
        self._assemble()
        self.bare = self._bare_errors()

    def _assemble(self) -> None:
        for name, change in self.change.items():
            step = (self.basis @ change.flatten(1)).view_as(self.heads[name]) * self.units[name]
            setattr(self.module, name, self.heads[name] + step)

    def _errors(self, index: Any, horizon: int, pushforward: int, corrector: Any) -> Any:
        """Mean squared error after 1, 2, ..., ``horizon`` steps, shape (horizon,)."""
        import torch

        from attns_core.backends.torch_rollout import rollout

        data, u, t = self.data, self.u[:, index], self.t[index]
        shared: dict[str, Any] = {"dt": data.dt, "corrector": corrector, "limit": self.limit}
        if pushforward:
            with torch.no_grad():
                u = rollout(data.equation, data.method, u, steps=pushforward, t0=t, **shared)[-1]
        states = rollout(
            data.equation,
            data.method,
            u,
            steps=horizon,
            t0=t + pushforward * data.dt,
            checkpoint=self.recipe.checkpoint,
            **shared,
        )
        ahead = index[None, :] + pushforward + torch.arange(horizon)[:, None]
        target = self.target[:, ahead].transpose(0, 1)
        return ((states[1:] - target) / self.scale).square().mean(dim=(1, 2))

    def _bare_errors(self) -> Any:
        """What the bare method's error is after every number of steps, shape (longest horizon,)."""
        import torch

        with torch.no_grad():
            index = torch.from_numpy(self.segments.train[: self.recipe.batch])
            errors = self._errors(index, self.segments.horizons[-1], 0, None)
        return errors.clamp_min(torch.finfo(errors.dtype).tiny)

    def _loss(self, index: Any, horizon: int, pushforward: int) -> Any:
        self._assemble()
        return (self._errors(index, horizon, pushforward, self.module) / self.bare[:horizon]).mean()

    def run(self, horizon: int, seed: int, report: Progress) -> tuple[list[tuple[float, float, float]], bool]:
        """Train on one horizon; parameters end at the best seen on held-out segments."""
        import torch

        train, check = (torch.from_numpy(i) for i in (self.segments.train, self.segments.check))
        some = train[torch.linspace(0, train.numel() - 1, min(train.numel(), self.recipe.batch)).long()]
        longest, most = self.segments.horizons[-1], self.segments.pushforward
        parameters = list(self.change.values())
        if self.recipe.layers:
            parameters += [p for p in self.module.parameters() if p.numel()]
        with torch.no_grad():
            level = float(self._loss(check, longest, 0)) ** 0.5

        def batch_loss(index: Any) -> Any:
            # The number of steps without gradient depends on the batch alone, so that a line search
            # sees one function.
            return self._loss(train[index], horizon, int(train[index[0]]) % (most + 1))

        return descend(
            optimiser_named(self.recipe.optimiser, parameters, lr=self.recipe.lr * level),
            parameters,
            batch_loss,
            lambda: (float(self._loss(some, longest, 0)), float(self._loss(check, longest, 0))),
            pairs=train.numel(),
            batch=self.recipe.batch,
            steps=self.recipe.steps,
            seed=seed,
            progress=report,
        )

    def result(self) -> TrainedCorrector:
        import torch

        with torch.no_grad():
            self._assemble()
        learned = self.module.to_trained()
        return replace(learned, mean=self.start.mean, scale=self.start.scale)


def _orthonormal(start: TrainedCorrector, data: Dataset) -> Any:
    """Columns of head changes that change the term by one unit in the mean over the training pairs.

    Directions that the training states hardly excite (below 1e-7 of the strongest) are left out:
    moving along them costs nothing there and anything elsewhere.
    """
    pairs = data.take(np.flatnonzero(~data.held_out)[:: max(1, data.n // 4000)])
    phi = features(start, pairs.inputs(start.input)).T / np.sqrt(pairs.n)
    _, s, right = np.linalg.svd(phi, full_matrices=False)
    kept = s > 1e-7 * s[0]
    return right[kept].T / s[kept]


def _units(start: TrainedCorrector, data: Dataset) -> dict[str, Any]:
    """What a change of one means: the spread of the residual, for weights per spread of their value."""
    unit = np.sqrt(np.mean(data.r**2, axis=1))
    units: dict[str, Any] = {"offset": unit}
    if start.weights is not None and start.values is not None:
        V = data.dt * np.einsum("vj,jdn->vdn", start.values, data.k)
        spread = np.maximum(np.sqrt(np.mean(V**2, axis=2)), np.finfo(float).tiny)
        ratio = unit / spread
        units["weights"] = ratio if start.weights.shape[2] > 1 else ratio.mean(axis=1, keepdims=True)
    return units


def _with_own_held_out(data: Dataset) -> Dataset:
    """The training part of a dataset with held-out pairs of its own, for the start's choices."""
    from attns_core.dataset import held_out_pairs

    _, trajectory = np.unique(data.trajectory, return_inverse=True)
    steps = int(np.bincount(trajectory).max())
    return replace(data, held_out=held_out_pairs(trajectory, steps))


ROLLOUT = Rollout()
