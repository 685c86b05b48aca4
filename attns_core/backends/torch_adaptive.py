"""Adaptive steps on tensors: the loop of :mod:`attns_core.backends.numpy_adaptive`, all trajectories in lockstep.

Every attempt runs over all trajectories and every decision is a mask, so that the loop looks at the
device only now and then, to see whether anything is left to do. A trajectory that is done waits for
the others: this pays for large ensembles of similar trajectories.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attns_core.backends.numpy_adaptive import REASONS
from attns_core.backends.torch_step import Blocks, combination, make_field
from attns_core.control import Adaptive
from attns_core.method import ExplicitRungeKutta
from attns_core.problem import Problem
from attns_core.solution import Solution
from attns_core.step_size import CONTROLLER

LOOK_EVERY = 16
"""Attempts between two looks at whether trajectories are left."""

Derivative = Callable[[Tensor, Tensor], Tensor]


@torch.inference_mode()
def solve_adaptive(
    problem: Problem,
    method: ExplicitRungeKutta,
    control: Adaptive,
    dtype: torch.dtype,
    device: torch.device,
    extra: dict[str, Any],
) -> Solution:
    """Solve each trajectory with its own steps, equal to the numpy backend up to rounding."""
    c, q, n = CONTROLLER, method.error_power, problem.n
    proportional, integral = c.exponents(q)
    field = make_field(problem.equation)
    attempt = _attempt(method, lambda t, u: field(t, [u])[0])

    def f(t: Tensor, u: Tensor) -> Tensor:
        return field(t, [u])[0]

    def lanes(value: float, kind: torch.dtype = torch.float64) -> Tensor:
        return torch.full((n,), value, dtype=kind, device=device)

    n_save = problem.t_save.size
    # One more time and one more row than there are, for trajectories that are done.
    t_save = torch.tensor([*problem.t_save, problem.t_end], dtype=torch.float64, device=device)
    u = torch.tensor(problem.u0, dtype=dtype, device=device)
    saved = torch.full((n_save + 1, *u.shape), torch.nan, dtype=dtype, device=device)
    saved[0] = u
    t, e_old = lanes(problem.t0), lanes(c.least_error)
    target, attempts, steps, rejected, nfe, lost = (lanes(i, torch.int64) for i in (1, 0, 0, 0, 0, 0))
    active = lanes(n_save > 1, torch.bool)
    after_rejection = lanes(False, torch.bool)
    k1 = f(t, u)
    dt = _first_step(f, t, u, k1, control, q, problem.t_end)
    nfe = nfe + 2 * active
    eps = 10 * float(np.finfo(np.float64).eps)
    look = 0
    while look % LOOK_EVERY != 0 or bool(active.any()):
        look += 1
        goal = t_save[target]
        left = goal - t
        lands = c.reach * dt >= left
        h = torch.where(lands, left, torch.where(c.reach * dt >= 0.5 * left, 0.5 * left, dt))
        tiny = ~lands & ~(h >= eps * torch.maximum(t.abs(), goal.abs()))
        broken = ~(u.isfinite().all(dim=0) & k1.isfinite().all(dim=0))
        for mask, why in ((attempts >= control.max_steps, 1), (tiny, 2), (broken, 3)):
            lost = torch.where(active & mask, why, lost)
        active = active & (lost == 0)

        new, error, low, last = attempt(t, u, k1, h)
        attempts = attempts + active
        nfe = nfe + (method.stages - 1) * active
        scale = control.atol + control.rtol * torch.maximum(u.abs(), new.abs())
        e = _norm(error, scale)
        if low is not None:
            both = torch.sqrt(e**2 + 0.01 * _norm(low, scale) ** 2)
            e = torch.where(both == 0, 0.0, e * (e / both))
        e = torch.where(new.isfinite().all(dim=0), e, torch.nan)
        good, bad = active & (e <= 1), active & ~(e <= 1)

        short, far_short = c.reach * h < dt, h < 0.5 * dt
        factor = torch.where(short, e ** (-1 / q), e**-proportional * e_old**integral)
        factor = (c.safety * factor).clamp(c.min_factor, c.max_factor)
        factor = torch.where(e == 0, c.max_factor, factor)
        proposal = h * torch.where(after_rejection, factor.clamp(max=1.0), factor)
        shrink = torch.where(e.isfinite(), (c.safety * e ** (-1 / q)).clamp(min=c.min_factor), c.min_factor)
        grown = torch.where(far_short, torch.maximum(dt, proposal), proposal)
        dt = torch.where(good, grown, torch.where(bad, h * shrink, dt))
        e_old = torch.where(good & ~short, e.clamp(min=c.least_error), e_old)
        t = torch.where(good, torch.where(lands, goal, t + h), t)
        u = torch.where(good, new, u)
        steps, rejected = steps + good, rejected + bad
        after_rejection = torch.where(good | bad, bad, after_rejection)

        landed = good & lands
        row = torch.where(landed, target, n_save).expand(1, u.shape[0], n)
        saved.scatter_(0, row, u[None])
        target = target + landed
        active = active & (target < n_save)
        if last is None:
            fresh = good & active
            k1 = torch.where(fresh, f(t, u), k1)
            nfe = nfe + fresh
        else:
            k1 = torch.where(good, last, k1)

    def host(x: Tensor) -> Any:
        return x.cpu().numpy()

    given_up = host(lost)
    parts = [
        f"{np.count_nonzero(given_up == code)} given up: {reason.format(max_steps=control.max_steps)}"
        for code, reason in REASONS.items()
        if np.any(given_up == code)
    ]
    return Solution(
        t=problem.t_save,
        u=host(saved[:n_save]),
        n_steps=host(steps),
        nfe=host(nfe),
        n_rejected=host(rejected),
        message="; ".join(parts),
        extra=dict(extra),
    )


def _attempt(method: ExplicitRungeKutta, f: Derivative) -> Callable[..., tuple[Tensor, Tensor, Any, Any]]:
    """``(t, u, k1, h)`` -> new state, error estimate, its lower companion or None, last stage or None."""
    tableau, low = method.tableau, method.b_error_low
    arguments = [combination(tableau.a[i, :i]) for i in range(1, tableau.stages)]
    total, error = combination(tableau.b), combination(tableau.b_error)
    companion = None if low is None else combination(low)

    def attempt(t: Tensor, u: Tensor, k1: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Any, Any]:
        step = h.to(u.dtype)
        k: list[Blocks | None] = [[k1]]
        for i, argument in enumerate(arguments, start=1):
            k.append([f(t + float(tableau.c[i]) * h, u + step * argument(k, None)[0])])
        return (
            u + step * total(k, None)[0],
            step * error(k, None)[0],
            None if companion is None else step * companion(k, None)[0],
            f_last[0] if tableau.is_fsal and (f_last := k[-1]) is not None else None,
        )

    return attempt


def _norm(x: Tensor, scale: Tensor) -> Tensor:
    """Root mean square over components, shape ``(n,)``, float64."""
    return (x / scale).square().mean(dim=0).sqrt().double()


def _first_step(f: Derivative, t: Tensor, u: Tensor, k1: Tensor, control: Adaptive, q: int, t_end: float) -> Tensor:
    scale = control.atol + control.rtol * u.abs()
    d0, d1 = _norm(u, scale), _norm(k1, scale)
    h0 = torch.where((d0 < 1e-5) | (d1 < 1e-5), 1e-6, 0.01 * d0 / d1)
    h0 = torch.minimum(h0, t_end - t)
    d2 = _norm(f(t + h0, (u + h0 * k1).to(u.dtype)) - k1, scale) / h0
    largest = torch.maximum(d1, d2)
    h1 = torch.where(largest <= 1e-15, (1e-3 * h0).clamp(min=1e-6), (0.01 / largest) ** (1 / q))
    return torch.minimum(100 * h0, h1)
