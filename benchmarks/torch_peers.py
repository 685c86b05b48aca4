"""torchdiffeq and torchode on the workloads, each in the style its documentation calls fast."""

from collections.abc import Callable
from typing import Any

import torch
from workloads import SAVE_EVERY, Workload

from attns_core import Problem
from attns_core.backends.torch_corrector import CorrectorModule


def right_hand_side(load: Workload, dtype: torch.dtype) -> Callable[[Any, Any], Any]:
    """``f(t, u)`` on ``(dim, n)``, by hand, in as few operations as it takes."""
    p = load.equation.p
    if load.equation.name == "elastic-pendulum":

        def pendulum(t: Any, u: Any) -> Any:
            theta, r, omega, v = u.unbind(0)
            turn = (-p.g * torch.sin(theta) - 2 * omega * v) / r
            return torch.stack([omega, v, turn, r * omega * omega - p.k / p.m * (r - p.l0) + p.g * torch.cos(theta)])

        return pendulum
    n, k, m = p.n, torch.tensor(p.k, dtype=dtype)[:, None], torch.tensor(p.m, dtype=dtype)[:, None]

    def chain(t: Any, u: Any) -> Any:
        wall = torch.zeros_like(u[:1])
        pull = k * (torch.cat([u[n:], wall]) - torch.cat([wall, u[n:]]))
        return torch.cat([pull[1:] - pull[:-1], u[:n] / m])

    return chain


def with_torchdiffeq(load: Workload, problem: Problem, dtype: torch.dtype, *, compiled: bool) -> Callable[[], Any]:
    """``odeint`` with ``rk4``, which is the 3/8 rule there: as many stages, another tableau."""
    from torchdiffeq import odeint

    f = right_hand_side(load, dtype)
    f = torch.compile(f, dynamic=False) if compiled else f
    u0, t = torch.tensor(problem.u0, dtype=dtype), torch.tensor(problem.t_save, dtype=dtype)
    if load.corrector is None:
        return _inference(lambda: odeint(f, u0, t, method="rk4", options={"step_size": load.dt}))
    # A corrector acts between steps, for which there is no hook: one solve per step.
    one = torch.tensor([0.0, load.dt], dtype=dtype)
    return _corrected(load, problem, dtype, lambda u: odeint(f, u, one, method="rk4")[-1], compiled=compiled)


def with_torchode(load: Workload, problem: Problem, dtype: torch.dtype, *, compiled: bool) -> Callable[[], Any]:
    """``AutoDiffAdjoint`` with fixed steps; its own RK4 is missing, so the tableau is given to it."""
    import torchode
    from torchode.interpolation import ThirdOrderPolynomialInterpolation
    from torchode.single_step_methods.runge_kutta import ButcherTableau, ExplicitRungeKutta

    class RK4(ExplicitRungeKutta):
        def __init__(self, term: Any = None) -> None:
            a = [[], [1 / 2], [0, 1 / 2], [0, 0, 1.0]]
            b = [1 / 6, 1 / 3, 1 / 3, 1 / 6]
            super().__init__(term, ButcherTableau.from_lists(c=[0, 1 / 2, 1 / 2, 1.0], a=a, b=b, b_err=[0.0] * 4))

        def convergence_order(self) -> int:
            return 4

        def build_interpolation(self, data: Any) -> Any:
            return ThirdOrderPolynomialInterpolation.from_k(data.t0, data.dt, data.y0, data.y1, data.k)

    f = right_hand_side(load, dtype)
    term = torchode.ODETerm(lambda t, u: f(t, u.T).T)
    solver: Any = torchode.AutoDiffAdjoint(RK4(term), torchode.FixedStepController())
    solver = torch.compile(solver) if compiled else solver
    u0 = torch.tensor(problem.u0, dtype=dtype)
    n = u0.shape[1]
    dt0 = torch.full((n,), load.dt, dtype=dtype)

    def solve(u: Any, t: Any) -> Any:
        times = t.expand(n, -1)
        return solver.solve(torchode.InitialValueProblem(y0=u.T, t_eval=times), dt0=dt0).ys

    if load.corrector is None:
        t = torch.tensor(problem.t_save, dtype=dtype)
        return _inference(lambda: solve(u0, t).permute(1, 2, 0))
    one = torch.tensor([0.0, load.dt], dtype=dtype)
    return _corrected(load, problem, dtype, lambda u: solve(u, one)[:, -1].T, compiled=compiled)


def _corrected(
    load: Workload, problem: Problem, dtype: torch.dtype, base: Callable[[Any], Any], *, compiled: bool
) -> Callable[[], Any]:
    assert load.corrector is not None
    module = CorrectorModule.from_trained(load.corrector, dtype=dtype).requires_grad_(False)
    u0 = torch.tensor(problem.u0, dtype=dtype)

    def term(u: Any) -> Any:
        return module(u, u, None, load.dt)

    evaluate = torch.compile(term, dynamic=False) if compiled else term

    def run() -> Any:
        u, saved = u0, [u0]
        for _ in range(problem.t_save.size - 1):
            for _ in range(SAVE_EVERY):
                u = base(u) + evaluate(u)
            saved.append(u)
        return torch.stack(saved)

    return _inference(run)


def _inference(run: Callable[[], Any]) -> Callable[[], Any]:
    def call() -> Any:
        with torch.inference_mode():
            return run().numpy()

    return call
