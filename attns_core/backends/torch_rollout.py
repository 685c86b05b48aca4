"""Differentiable rollouts: the solver as a function that gradients flow through.

>>> import torch
>>> from attns_core.backends.torch_corrector import CorrectorModule
>>> module = CorrectorModule.from_trained(trained)                          # doctest: +SKIP
>>> u = rollout(equation, rk4, u0, dt=0.1, steps=50, corrector=module)      # doctest: +SKIP
>>> (u[-1] - target).square().mean().backward()                             # doctest: +SKIP

Gradients with respect to the corrector's parameters, the initial states and the equation's
parameters are those of the discrete steps (backpropagation through the solver), exact to round-off.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint as recompute

from attns_core.backends.torch_corrector import CorrectorModule
from attns_core.backends.torch_step import Step, make_step
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.method import AbstractMethod


def rollout(
    equation: Equation,
    method: AbstractMethod,
    u0: Tensor,
    *,
    dt: float,
    steps: int,
    corrector: CorrectorModule | None = None,
    parameters: Tensor | None = None,
    t0: float | Tensor | None = None,
    checkpoint: int | None = None,
    limit: float | None = None,
) -> Tensor:
    """Roll out ``steps`` fixed steps from ``u0``, keeping every state.

    Parameters
    ----------
    u0 : Tensor, shape (dim, n)
        Initial states; dtype and device of everything.
    dt : float
    steps : int
    corrector : CorrectorModule, optional
        Of the same dtype and device.
    parameters : Tensor, shape (n_numeric,), optional
        The equation's numeric parameters in the order of ``equation.p.numeric()``, where gradients
        with respect to them are wanted.
    t0 : float or Tensor of shape (n,), optional
        Initial time, or one per trajectory (default: the equation's).
    checkpoint : int, optional
        Keep the graph of this many steps at a time and recompute the rest when going backward:
        memory falls from ``steps`` to ``checkpoint + steps / checkpoint`` steps, time grows by a forward pass.
    limit : float, optional
        A trajectory with a component beyond it, or one that is not finite, is frozen at its last
        state and passes no gradient from there on, so that it cannot spoil the others' sum.

    Returns
    -------
    Tensor, shape (steps + 1, dim, n)

    Raises
    ------
    AttnsError
        For a batch of 0, a wrong dimension, or a method that torch has no step for.
    """
    if u0.ndim != 2 or u0.shape[0] != equation.dim or u0.shape[1] == 0:
        raise AttnsError(
            f"initial states of {equation.name!r} must have shape ({equation.dim}, n) with n at least 1, "
            f"got {tuple(u0.shape)}"
        )
    if checkpoint is not None and checkpoint < 1:
        raise AttnsError(f"checkpoint must be at least 1 step, got {checkpoint}")
    step = make_step(equation, method, dt, corrector=corrector, parameters=parameters)
    start = torch.as_tensor(equation.t0 if t0 is None else t0, dtype=torch.float64, device=u0.device)
    masked = None if limit is None else _Mask(step, start, dt, u0.detach(), steps, limit)

    def segment(u: Tensor, first: int, count: int) -> Tensor:
        states = []
        for j in range(first, first + count):
            u = step(start + j * dt, u) if masked is None else masked.step(j, start + j * dt, u)
            states.append(u)
        return torch.stack(states)

    pieces, u = [u0[None]], u0
    size = max(1, steps) if checkpoint is None else checkpoint
    for first in range(0, steps, size):
        count = min(size, steps - first)
        if checkpoint is None:
            states = segment(u, first, count)
        else:
            states: Any = recompute(segment, u, first, count, use_reentrant=False)
        pieces.append(states)
        u = states[-1]
    return torch.cat(pieces)


class _Mask:
    """Which trajectories are still within the limit after every step, found out by a pass without gradients.

    A zero gradient times an infinite derivative is NaN, and a NaN in one trajectory reaches every
    weight; so a lost trajectory must not enter a step that is differentiated. It is replaced there by
    the initial state of the one that lives longest. Nothing here waits for the device.
    """

    def __init__(self, step: Step, start: Tensor, dt: float, u: Tensor, steps: int, limit: float) -> None:
        self._step = step
        alive = torch.ones(u.shape[1], dtype=torch.bool, device=u.device)
        record, initial = [alive], u
        with torch.no_grad():
            for j in range(steps):
                new = step(start + j * dt, u)
                alive = alive & (new.abs() <= limit).all(dim=0)
                u = torch.where(alive, new, u)
                record.append(alive)
            self._alive = record[1:]
            longest = torch.stack(record).sum(dim=0).argmax()
            self._stand_in = initial.index_select(1, longest[None])

    def step(self, j: int, t: Tensor, u: Tensor) -> Tensor:
        alive = self._alive[j]
        new = self._step(t, torch.where(alive, u, self._stand_in))
        return torch.where(alive, new, u.detach())
