"""numbalsoda: LSODA (C++) and DOP853 (Fortran), called with a C function pointer.

Particulars: the pointer's owner must outlive the call; parameters travel as a C array; the
limits of 10000 steps (DOP853) and 500 (LSODA) are raised; where the integrator fails, only a flag says so
and the rows that it did not reach hold uninitialised memory, which looks like small finite states.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from attns_core import Adaptive, BlackBoxSolver, Citation, Problem, Solution
from attns_core.black_box import NOT_COUNTED
from attns_interop.library import missing, padded


@final
@dataclass(frozen=True)
class NumbalsodaMethod:
    """``lsoda`` or ``dop853``."""

    method: str

    def supports(self, problem: Problem, control: Adaptive) -> str | None:
        return missing("numbalsoda", "numbalsoda")

    def prepare(self, problem: Problem, control: Adaptive) -> Callable[[], Solution]:
        import numbalsoda

        integrate = getattr(numbalsoda, self.method)
        f, p = problem.rhs("cfunc"), problem.equation.p.numeric()
        options: dict[str, Any] = {
            "data": p,
            "rtol": control.rtol,
            "atol": control.atol,
            "mxstep": min(control.max_steps, 2**31 - 1),
        }

        def solve() -> Solution:
            states, success = integrate(f.address, problem.u0[:, 0].copy(), problem.t_save, **options)
            message = "" if success else f"{self.method} reports failure"
            # After a failure the library leaves whatever memory held in the rows that it did not reach
            # and does not say which: the longest span that succeeds is found by bisection.
            good, bad = (len(states), len(states)) if success else (1, len(states))
            while bad - good > 1:
                middle = (good + bad) // 2
                part, success = integrate(f.address, problem.u0[:, 0].copy(), problem.t_save[:middle], **options)
                good, bad = (middle, bad) if success else (good, middle)
                states = part if success else states
            return Solution(
                t=problem.t_save,
                u=padded(problem, states[:good]),
                n_steps=NOT_COUNTED,
                nfe=NOT_COUNTED,
                message=message,
            )

        return solve


NUMBALSODA = tuple(
    BlackBoxSolver(
        name=f"numbalsoda-{method}",
        title=title,
        implementation=NumbalsodaMethod(method),
        control="adaptive",
        per_trajectory=True,
        tags=frozenset({"numbalsoda", "interop", "adaptive", *tags}),
        citation=Citation(
            key="wogan2021numbalsoda",
            authors="N. F. Wogan",
            title="numbalsoda: LSODA and DOP853 callable from numba",
            where="software",
            year=2021,
        ),
    )
    for method, title, tags in (
        ("lsoda", "LSODA in C++, compiled right-hand side", ("stiff",)),
        ("dop853", "DOP853 in Fortran, compiled right-hand side", ()),
    )
)
