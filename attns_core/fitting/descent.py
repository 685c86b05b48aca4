"""Gradient descent by any torch optimiser: batches, cosine schedule, curve, progress, best checkpoint."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from attns_core.errors import AttnsError
from attns_core.recipe import Progress


def optimiser_named(name: str, parameters: Sequence[Any], **options: Any) -> Any:
    """An optimiser of ``torch.optim`` by its name.

    Raises
    ------
    AttnsError
        For an unknown name or options it does not take; lists the names that exist.
    """
    import torch

    known = sorted(
        key
        for key, value in vars(torch.optim).items()
        if isinstance(value, type) and issubclass(value, torch.optim.Optimizer) and value is not torch.optim.Optimizer
    )
    if name not in known:
        raise AttnsError(f"torch.optim has no optimiser {name!r}; there are {', '.join(known)}")
    try:
        return getattr(torch.optim, name)(parameters, **options)
    except (TypeError, ValueError) as error:
        raise AttnsError(f"optimiser {name!r} with {options}: {error}") from error


def training_device(recipe: str, device: str) -> Any:
    """The torch device a recipe was asked to train on.

    Raises
    ------
    AttnsError
        If it is not there.
    """
    import torch

    from attns_core.backends.torch_device import device_missing

    missing = device_missing(device)
    if missing is not None:
        raise AttnsError(f"recipe {recipe!r} with device={device!r}: {missing}")
    return torch.device(device)


def pairs_per_pass(width: int) -> int:
    """Pairs whose graph stays within a core's cache for hidden layers of ``width`` units, see :func:`descend`."""
    return max(64, 2**17 // width)


def descend(
    optimiser: Any,
    parameters: Sequence[Any],
    batch_loss: Callable[[Any], Any],
    losses: Callable[[], tuple[float, float]],
    *,
    pairs: int,
    batch: int,
    steps: int,
    seed: int,
    part: int | None = None,
    checks: int = 20,
    progress: Progress | None = None,
) -> tuple[list[tuple[float, float, float]], bool]:
    """Minimise ``batch_loss`` with a learning rate that falls to 0 along a cosine, step by step.

    On return the parameters are those of the least held-out loss seen at ``checks`` evenly spaced
    looks, also after an interruption from the keyboard.

    Parameters
    ----------
    batch_loss : callable
        Tensor loss of the pairs with the given indices, a mean over them.
    part : int, optional
        Pairs of a batch whose graph is held at a time; the gradients of the parts add up to the
        batch's. What fits a cache is several times faster than one pass over a large batch.
    losses : callable
        Training and held-out loss at the present parameters.

    Returns
    -------
    curve : list of (seconds, training loss, held-out loss)
    interrupted : bool
    """
    import torch

    rng = np.random.default_rng([seed, 13])
    start = time.perf_counter()
    rates = [group["lr"] for group in optimiser.param_groups]
    batch = min(batch, pairs)
    order, position = rng.permutation(pairs), 0
    every = max(1, steps // checks)
    curve: list[tuple[float, float, float]] = []
    best: list[Any] = [p.detach().clone() for p in parameters]
    least, interrupted = math.inf, False

    def look(step: int) -> None:
        nonlocal best, least
        with torch.no_grad():
            training, held_out = losses()
        seconds = time.perf_counter() - start
        curve.append((seconds, training, held_out))
        if held_out < least:
            best, least = [p.detach().clone() for p in parameters], held_out
        if progress is not None and step:
            left = seconds / step * (steps - step)
            text = f"step {step}/{steps}, loss {training:.2e}, held-out {held_out:.2e}, {left:.0f} s left"
            progress(step / steps, text)

    try:
        look(0)
        for step in range(1, steps + 1):
            if position + batch > pairs:
                order, position = rng.permutation(pairs), 0
            index = torch.from_numpy(order[position : position + batch])
            position += batch
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * (step - 1) / steps))

            def closure(index: Any = index) -> Any:
                optimiser.zero_grad(set_to_none=True)
                total = 0.0
                for piece in index.split(part or batch):
                    loss = batch_loss(piece) * (piece.numel() / batch)
                    loss.backward()
                    total = total + loss.detach()
                return total

            optimiser.step(closure)
            if step % every == 0 or step == steps:
                look(step)
    except KeyboardInterrupt:
        interrupted = True
    with torch.no_grad():
        for parameter, value in zip(parameters, best, strict=True):
            parameter.copy_(value)
    return curve, interrupted
