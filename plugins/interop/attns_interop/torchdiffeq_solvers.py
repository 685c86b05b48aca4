"""torchdiffeq on the CPU.

Particulars: its ``rk4`` is the 3/8 rule and is registered as what it is; fixed-step methods
interpolate linearly between their steps, so saving times must be steps (they are here); the interpolants
of ``bosh3`` and ``dopri8`` lose three digits against the tolerance, so adaptive steps are made to end at
saving times (``step_t``); adaptive methods choose one step for the whole batch from the norm over all of
it, so a trajectory's error depends on its company; a step that underflows ends in an assertion, after
which the trajectories are solved one by one and interval by interval to keep what can be kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core import BlackBoxSolver, Citation, FixedStep, Problem, Solution
from attns_core.black_box import NOT_COUNTED
from attns_core.control import StepControl
from attns_interop.library import missing


@final
@dataclass(frozen=True)
class TorchdiffeqMethod:
    """One of torchdiffeq's methods, by its name there."""

    method: str

    def supports(self, problem: Problem, control: StepControl) -> str | None:
        return missing("torchdiffeq", "torchdiffeq")

    def prepare(self, problem: Problem, control: StepControl) -> Callable[[], Solution]:
        import torch
        import torchdiffeq

        f = problem.rhs("torch")
        calls = 0

        def counted(t: Any, u: Any) -> Any:
            nonlocal calls
            calls += 1
            return f(t, u)

        options: dict[str, Any]
        if isinstance(control, FixedStep):
            options = {"method": self.method, "options": {"step_size": control.dt}}
            steps = int(problem.steps_per_save(control).sum())
        else:
            options = {
                "method": self.method,
                "rtol": control.rtol,
                "atol": control.atol,
                "options": {"max_num_steps": control.max_steps},
            }
            steps = NOT_COUNTED
        t_save = torch.tensor(problem.t_save)

        def integrate(u0: Any, times: Any) -> Any:
            landing = {} if isinstance(control, FixedStep) else {"step_t": times[1:]}
            given = options | {"options": options["options"] | landing}
            with torch.no_grad():
                return torchdiffeq.odeint(counted, torch.tensor(u0), times, **given).numpy()

        def solve() -> Solution:
            nonlocal calls
            calls = 0
            message = ""
            try:
                u = integrate(problem.u0, t_save)
            except AssertionError as error:
                u, message = _salvaged(integrate, problem, t_save), str(error)
            u[0] = problem.u0
            return Solution(t=problem.t_save, u=u, n_steps=steps, nfe=calls, message=message)

        return solve


def _salvaged(integrate: Callable[[Any, Any], Any], problem: Problem, t_save: Any) -> Any:
    u = np.full((problem.t_save.size, *problem.u0.shape), np.nan)
    u[0] = problem.u0
    for lane in range(problem.n):
        for i in range(problem.t_save.size - 1):
            try:
                u[i + 1, :, lane] = integrate(u[i, :, lane : lane + 1], t_save[i : i + 2])[-1, :, 0]
            except AssertionError:
                break
    return u


TORCHDIFFEQ = tuple(
    BlackBoxSolver(
        name=f"torchdiffeq-{name}",
        title=title,
        implementation=TorchdiffeqMethod(method),
        control=control,
        tags=frozenset({"torchdiffeq", "torch", "interop", *tags}),
        citation=Citation(
            key="chen2018torchdiffeq",
            authors="R. T. Q. Chen",
            title="torchdiffeq",
            where="software",
            year=2018,
            url="https://github.com/rtqichen/torchdiffeq",
        ),
    )
    for name, method, title, control, tags in (
        ("euler", "euler", "torchdiffeq's Euler", "fixed", ()),
        ("midpoint", "midpoint", "torchdiffeq's explicit midpoint", "fixed", ()),
        ("rk38", "rk4", "torchdiffeq's 'rk4', which is the 3/8 rule", "fixed", ()),
        ("bosh3", "bosh3", "torchdiffeq's Bogacki-Shampine 3(2)", "adaptive", ("adaptive",)),
        ("dopri5", "dopri5", "torchdiffeq's Dormand-Prince 5(4)", "adaptive", ("adaptive",)),
        ("dopri8", "dopri8", "torchdiffeq's Dormand-Prince 8", "adaptive", ("adaptive",)),
    )
)
