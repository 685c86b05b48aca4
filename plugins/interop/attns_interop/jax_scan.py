"""The classical Runge-Kutta method as a jax user writes it: ``lax.scan`` over steps, vectorised over trajectories.

Particulars: jax computes in float32 unless told otherwise; the first call compiles and belongs
to ``prepare``; results are asynchronous until they are converted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core import BlackBoxSolver, FixedStep, Problem, Solution
from attns_interop.jax_maths import in_double
from attns_interop.library import missing


@final
@dataclass(frozen=True)
class JaxScan:
    """RK4 with a fixed step."""

    def supports(self, problem: Problem, control: FixedStep) -> str | None:
        return missing("jax", "jax")

    def prepare(self, problem: Problem, control: FixedStep) -> Callable[[], Solution]:
        import jax
        from jax import lax

        f, dt = problem.rhs("jax"), control.dt
        counts = problem.steps_per_save(control)
        steps = int(counts.sum())
        starts = np.concatenate(
            [problem.t_save[i] + dt * np.arange(int(n)) for i, n in enumerate(counts)] or [np.zeros(0)]
        )
        saved = np.cumsum(counts)

        def step(u: Any, t: Any) -> tuple[Any, Any]:
            k1 = f(t, u)
            k2 = f(t + dt / 2, u + dt / 2 * k1)
            k3 = f(t + dt / 2, u + dt / 2 * k2)
            k4 = f(t + dt, u + dt * k3)
            new = u + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            return new, new

        every = int(counts[0]) if len(set(counts.tolist())) == 1 else 0

        @jax.jit
        def run(u0: Any, t: Any) -> Any:
            if every:  # only the saved states are kept: a scan within a scan

                def interval(u: Any, times: Any) -> tuple[Any, Any]:
                    new, _ = lax.scan(lambda v, s: (step(v, s)[0], None), u, times)
                    return new, new

                return lax.scan(interval, u0, t.reshape(-1, every))[1]
            return lax.scan(step, u0, t)[1][saved - 1]

        @in_double
        def solve() -> Solution:
            states = np.asarray(run(jax.numpy.asarray(problem.u0), jax.numpy.asarray(starts)))
            u = np.concatenate([problem.u0[None], states])
            return Solution(t=problem.t_save, u=u, n_steps=steps, nfe=4 * steps)

        solve()
        return solve


JAX = (
    BlackBoxSolver(
        name="jax-rk4",
        title="Classical Runge-Kutta in jax, lax.scan over steps",
        implementation=JaxScan(),
        control="fixed",
        tags=frozenset({"jax", "interop"}),
    ),
)
