"""diffrax: explicit and implicit Runge-Kutta methods in jax, vectorised over trajectories.

Particulars: float64 has to be switched on; the default of 4096 steps is too few for tight
tolerances; ``throw=False`` keeps one lost trajectory from ending the batch; fixed steps are given as a
grid (``StepTo``) so that saving times are steps and nothing is interpolated; under ``vmap`` every
trajectory has its own steps, but all wait for the slowest; adaptive solutions at saving times come from
dense output, whose order is below the method's for the high-order ones (Dopri8: 7 of 8).

Left as diffrax has it: the implicit methods' iteration, ``VeryChord``. On the stiff Van der Pol oscillator it
makes Kvaerno5 reject more steps than it accepts, and for some initial states (2 of 64) reject the first step
for ever, however short: such a trajectory ends at the limit of steps or at the cell's deadline. A full Newton
iteration (``root_finder=optimistix.Newton``) follows them in a tenth of the steps, but at loose tolerances it is
far less accurate on others (HIRES at 1e-4), so neither is the better default.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core import BlackBoxSolver, Citation, FixedStep, Problem, Solution
from attns_core.black_box import NOT_COUNTED
from attns_core.control import StepControl
from attns_core.identity import content_hash
from attns_core.recent import Recent
from attns_interop.jax_maths import in_double
from attns_interop.library import missing

_COMPILED = Recent[Callable[..., Any]](8)


@final
@dataclass(frozen=True)
class DiffraxMethod:
    """One of diffrax's solver classes, by name."""

    solver: str

    def supports(self, problem: Problem, control: StepControl) -> str | None:
        return missing("diffrax", "diffrax")

    def prepare(self, problem: Problem, control: StepControl) -> Callable[[], Solution]:
        t_save = problem.t_save
        if isinstance(control, FixedStep):
            counts = problem.steps_per_save(control)
            pieces = [np.linspace(t_save[i], t_save[i + 1], int(n) + 1)[1:] for i, n in enumerate(counts)]
            stepping = np.concatenate([t_save[:1], *pieces])
            most_steps = len(stepping)
        else:
            stepping, most_steps = np.array([control.rtol, control.atol]), control.max_steps
        fixed = isinstance(control, FixedStep)
        key = (content_hash(problem.equation.identity()), self.solver, fixed, most_steps)
        run = _COMPILED.get(key, lambda: _compiled(problem, self.solver, fixed=fixed, most_steps=most_steps))

        @in_double
        def solve() -> Solution:
            import jax.numpy as jnp

            found = run(jnp.asarray(problem.u0), jnp.asarray(t_save), jnp.asarray(stepping))
            ys, accepted, rejected, exhausted, failed = (np.asarray(part) for part in found)
            u = np.moveaxis(ys, 0, 2).copy()
            u[0] = problem.u0
            u[~np.isfinite(u)] = np.nan  # times that were not reached are filled with infinity
            message = f"gave up after {most_steps} steps" if exhausted.any() else ""
            if (failed & ~exhausted).any():
                message = "; ".join(part for part in (message, "a step failed") if part)
            return Solution(t=t_save, u=u, n_steps=accepted, n_rejected=rejected, nfe=NOT_COUNTED, message=message)

        solve()
        return solve


def _compiled(problem: Problem, name: str, *, fixed: bool, most_steps: int) -> Callable[..., Any]:
    """A batched solve; tolerances or the grid of steps are its last argument, so that all share the code."""
    import diffrax
    import jax

    f, solver = problem.rhs("jax"), getattr(diffrax, name)()

    def one(y0: Any, times: Any, stepping: Any) -> Any:
        controller: Any = (
            diffrax.StepTo(ts=stepping) if fixed else diffrax.PIDController(rtol=stepping[0], atol=stepping[1])
        )
        found = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, args: f(t, y)),
            solver,
            t0=times[0],
            t1=times[-1],
            dt0=None,
            y0=y0,
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=controller,
            max_steps=most_steps,
            throw=False,
        )
        exhausted = found.result == diffrax.RESULTS.max_steps_reached
        failed = ~diffrax.is_okay(found.result)
        return found.ys, found.stats["num_accepted_steps"], found.stats["num_rejected_steps"], exhausted, failed

    return jax.jit(jax.vmap(one, in_axes=(1, None, None)))


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
