"""heyoka's adaptive Taylor integrator, compiled to machine code for the equation.

Particulars: compilation takes seconds and belongs to ``prepare``; large systems are compiled
in compact mode; functions with kinks (``abs``, ``sign``, ``where``) have no Taylor series, so equations
that use them are refused; one integrator object holds state, so it is reset for every trajectory.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core import Adaptive, BlackBoxSolver, Citation, Problem, Solution
from attns_core.black_box import NOT_COUNTED
from attns_core.identity import content_hash
from attns_core.recent import Recent

_COMPACT = 12  # components from which on unrolled code compiles for too long
_INTEGRATORS = Recent[Any](16)


@final
@dataclass(frozen=True)
class HeyokaTaylor:
    """Taylor series whose order follows from the tolerance."""

    def supports(self, problem: Problem, control: Adaptive) -> str | None:
        try:
            problem.rhs("heyoka")
        except Exception as error:
            return f"heyoka cannot express the right-hand side ({error})"
        return None

    def prepare(self, problem: Problem, control: Adaptive) -> Callable[[], Solution]:
        key = content_hash([problem.equation.identity(), control.rtol])
        integrator = _INTEGRATORS.get(key, lambda: _compiled(problem, control.rtol))

        def solve() -> Solution:
            u = np.full((problem.t_save.size, *problem.u0.shape), np.nan)
            steps = np.zeros(problem.n, dtype=np.int64)
            for i in range(problem.n):
                integrator.time = problem.t0
                integrator.state[:] = problem.u0[:, i]
                outcome = integrator.propagate_grid(problem.t_save, max_steps=control.max_steps)
                rows = outcome[-1]
                steps[i] = outcome[3]
                u[: len(rows), :, i] = rows
            u[0] = problem.u0
            return Solution(t=problem.t_save, u=u, n_steps=steps, nfe=NOT_COUNTED)

        return solve


def _compiled(problem: Problem, tolerance: float) -> Any:
    import heyoka

    return heyoka.taylor_adaptive(
        problem.rhs("heyoka"),
        state=[1.0] * problem.equation.dim,
        time=problem.t0,
        tol=tolerance,
        compact_mode=problem.equation.dim >= _COMPACT,
    )


HEYOKA = (
    BlackBoxSolver(
        name="heyoka-taylor",
        title="heyoka's adaptive Taylor series",
        implementation=HeyokaTaylor(),
        control="adaptive",
        tags=frozenset({"heyoka", "interop", "adaptive"}),
        citation=Citation(
            key="biscani2021heyoka",
            authors="F. Biscani and D. Izzo",
            title="Revisiting high-order Taylor methods for astrodynamics and celestial mechanics",
            where="Monthly Notices of the Royal Astronomical Society 504, 2614-2628",
            year=2021,
            doi="10.1093/mnras/stab1032",
        ),
    ),
)
