"""diffrax: explicit and implicit Runge-Kutta methods in jax, vectorised over trajectories.

Pitfalls handled here: float64 has to be switched on; the default of 4096 steps is too few for tight
tolerances; ``throw=False`` keeps one lost trajectory from ending the batch; fixed steps are given as a
grid (``StepTo``) so that saving times are steps and nothing is interpolated; under ``vmap`` every
trajectory has its own steps, but all wait for the slowest; adaptive solutions at saving times come from
dense output, whose order is below the method's for the high-order ones (Dopri8: 7 of 8).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core import BlackBoxSolver, Citation, FixedStep, Problem, Solution
from attns_core.black_box import NOT_COUNTED
from attns_core.control import StepControl
from attns_interop.jax_maths import in_double
from attns_interop.library import missing

_MOST_STEPS = 100_000  # memory for the step count is not the limit, waiting for one lost trajectory is


@final
@dataclass(frozen=True)
class DiffraxMethod:
    """One of diffrax's solver classes, by name."""

    solver: str

    def supports(self, problem: Problem, control: StepControl) -> str | None:
        return missing("diffrax", "diffrax")

    def prepare(self, problem: Problem, control: StepControl) -> Callable[[], Solution]:
        import diffrax
        import jax

        f, t_save = problem.rhs("jax"), problem.t_save
        solver = getattr(diffrax, self.solver)()
        if isinstance(control, FixedStep):
            counts = problem.steps_per_save(control)
            pieces = [np.linspace(t_save[i], t_save[i + 1], int(n) + 1)[1:] for i, n in enumerate(counts)]
            grid = np.concatenate([t_save[:1], *pieces])
            limit, dt0 = len(grid), None
        else:
            grid, limit, dt0 = None, min(control.max_steps, _MOST_STEPS), None

        def one(y0: Any, times: Any) -> Any:
            import jax.numpy as jnp

            stepping: Any
            if isinstance(control, FixedStep):
                stepping = diffrax.StepTo(ts=jnp.asarray(grid))
            else:
                stepping = diffrax.PIDController(rtol=control.rtol, atol=control.atol)
            found = diffrax.diffeqsolve(
                diffrax.ODETerm(lambda t, y, args: f(t, y)),
                solver,
                t0=times[0],
                t1=times[-1],
                dt0=dt0,
                y0=y0,
                saveat=diffrax.SaveAt(ts=times),
                stepsize_controller=stepping,
                max_steps=limit,
                throw=False,
            )
            return found.ys, found.stats["num_accepted_steps"], found.stats["num_rejected_steps"]

        run = jax.jit(jax.vmap(one, in_axes=(1, None)))

        @in_double
        def solve() -> Solution:
            ys, accepted, rejected = run(jax.numpy.asarray(problem.u0), jax.numpy.asarray(t_save))
            u = np.moveaxis(np.asarray(ys), 0, 2).copy()
            u[0] = problem.u0
            u[~np.isfinite(u)] = np.nan  # times that were not reached are filled with infinity
            return Solution(
                t=t_save, u=u, n_steps=np.asarray(accepted), n_rejected=np.asarray(rejected), nfe=NOT_COUNTED
            )

        solve()
        return solve


_KIDGER = Citation(
    key="kidger2021diffrax",
    authors="P. Kidger",
    title="On Neural Differential Equations",
    where="PhD thesis, University of Oxford",
    year=2021,
    url="arXiv:2202.02435",
)

DIFFRAX = tuple(
    BlackBoxSolver(
        name=f"diffrax-{solver.lower()}",
        title=f"diffrax's {solver}",
        implementation=DiffraxMethod(solver),
        control=control,
        tags=frozenset({"diffrax", "jax", "interop", *tags}),
        citation=_KIDGER,
    )
    for solver, control, tags in (
        ("Euler", "fixed", ()),
        ("Heun", "any", ()),
        ("Midpoint", "any", ()),
        ("Ralston", "any", ()),
        ("Bosh3", "any", ("adaptive",)),
        ("Tsit5", "any", ("adaptive",)),
        ("Dopri5", "any", ("adaptive",)),
        ("Dopri8", "any", ("adaptive",)),
        ("Kvaerno3", "adaptive", ("adaptive", "stiff")),
        ("Kvaerno4", "adaptive", ("adaptive", "stiff")),
        ("Kvaerno5", "adaptive", ("adaptive", "stiff")),
    )
)
