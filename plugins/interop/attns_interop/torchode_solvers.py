"""torchode on the CPU: torch with a step size per trajectory.

Particulars: the state is (batch, dim), the transpose of ours; failed trajectories are told by a
status per trajectory, not by an exception; the step controller is chosen here as its integral controller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core import Adaptive, BlackBoxSolver, Citation, Problem, Solution
from attns_interop.library import missing


@final
@dataclass(frozen=True)
class TorchodeMethod:
    """One of torchode's step methods, by name."""

    method: str

    def supports(self, problem: Problem, control: Adaptive) -> str | None:
        return missing("torchode", "torchode")

    def prepare(self, problem: Problem, control: Adaptive) -> Callable[[], Solution]:
        import torch
        import torchode

        f = problem.rhs("torch")
        term = torchode.ODETerm(lambda t, y: f(t, y.T).T)
        step = getattr(torchode, self.method)(term=term)
        controller = torchode.IntegralController(atol=control.atol, rtol=control.rtol, term=term)
        solver = torchode.AutoDiffAdjoint(step, controller, max_steps=control.max_steps)
        times = torch.tensor(np.tile(problem.t_save, (problem.n, 1)))
        y0 = torch.tensor(problem.u0.T.copy())

        def solve() -> Solution:
            with torch.no_grad():
                found = solver.solve(torchode.InitialValueProblem(y0=y0, t_eval=times))
            u = np.moveaxis(found.ys.numpy(), 0, 2).copy()
            lost = found.status.numpy() != 0
            if lost.any():
                _erase_unreached(u, lost)
            u[0] = problem.u0
            stats: dict[str, Any] = found.stats
            steps, accepted = (stats[k].numpy() for k in ("n_steps", "n_accepted"))
            return Solution(
                t=problem.t_save, u=u, n_steps=accepted, n_rejected=steps - accepted, nfe=stats["n_f_evals"].numpy()
            )

        return solve


def _erase_unreached(u: Any, lost: Any) -> None:
    """Times that a lost trajectory did not reach hold whatever memory held: zeros here."""
    for lane in np.flatnonzero(lost):
        bad = ~np.isfinite(u[:, :, lane]).all(axis=1) | (u[:, :, lane] == 0).all(axis=1)
        first = int(np.argmax(np.append(bad[1:], True))) + 1
        u[first:, :, lane] = np.nan


TORCHODE = tuple(
    BlackBoxSolver(
        name=f"torchode-{method.lower()}",
        title=f"torchode's {method}",
        implementation=TorchodeMethod(method),
        control="adaptive",
        tags=frozenset({"torchode", "torch", "interop", "adaptive"}),
        citation=Citation(
            key="lienen2022torchode",
            authors="M. Lienen and S. Gunnemann",
            title="torchode: A Parallel ODE Solver for PyTorch",
            where="The Symbiosis of Deep Learning and Differential Equations II, NeurIPS 2022",
            year=2022,
            url="arXiv:2210.12375",
        ),
    )
    for method in ("Heun", "Dopri5", "Tsit5")
)
