"""SUNDIALS CVODE through scikit-sundae.

Particulars: the default of 500 steps between two outputs is too few for tight tolerances; the
implicit method gets the traced Jacobian; on failure the arrays are short; warnings of diverging
trajectories go to C's own streams, which are muted.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

from attns_core import Adaptive, BlackBoxSolver, Citation, Problem, Solution
from attns_interop.library import missing, padded


@final
@dataclass(frozen=True)
class CvodeMethod:
    """``BDF`` or ``Adams``."""

    method: str

    def supports(self, problem: Problem, control: Adaptive) -> str | None:
        return missing("sksundae", "cvode")

    def prepare(self, problem: Problem, control: Adaptive) -> Callable[[], Solution]:
        from sksundae.cvode import CVODE

        compiled, p = problem.rhs("numba"), problem.equation.p.numeric()
        problem.rhs("scalar")  # compiles it now

        def f(t: float, y: Any, yp: Any) -> None:
            compiled(t, y, yp, p)

        options: dict[str, Any] = {}
        if self.method == "BDF" and problem.equation.dim <= 64:
            jac = problem.rhs("jacobian")

            def jacfn(t: float, y: Any, yp: Any, J: Any) -> None:
                J[:] = jac(t, y)

            options["jacfn"] = jacfn
        solver = CVODE(
            f,
            method=self.method,
            rtol=control.rtol,
            atol=control.atol,
            max_num_steps=min(control.max_steps, 2**31 - 1),
            **options,
        )

        def solve() -> Solution:
            with _quiet():
                found = solver.solve(problem.t_save, problem.u0[:, 0].copy())
            rows = found.y if found.success else found.y[: len(found.t)]
            counted = int(found.nfev)
            return Solution(
                t=problem.t_save,
                u=padded(problem, rows),
                n_steps=-1,
                nfe=counted,
                message="" if found.success else str(found.message),
            )

        return solve


@contextmanager
def _quiet() -> Iterator[None]:
    # SUNDIALS writes a screenful through C's buffered streams for every trajectory that diverges.
    flush = ctypes.CDLL(None).fflush
    flush(None)
    kept, null = [os.dup(1), os.dup(2)], os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
        os.dup2(null, 2)
        yield
    finally:
        flush(None)
        for number, copy in enumerate(kept, start=1):
            os.dup2(copy, number)
            os.close(copy)
        os.close(null)


CVODE = tuple(
    BlackBoxSolver(
        name=f"cvode-{method.lower()}",
        title=title,
        implementation=CvodeMethod(method),
        control="adaptive",
        per_trajectory=True,
        tags=frozenset({"sundials", "interop", "adaptive", *tags}),
        citation=Citation(
            key="hindmarsh2005sundials",
            authors="A. C. Hindmarsh et al.",
            title="SUNDIALS: suite of nonlinear and differential/algebraic equation solvers",
            where="ACM Transactions on Mathematical Software 31, 363-396",
            year=2005,
            doi="10.1145/1089014.1089020",
        ),
    )
    for method, title, tags in (
        ("BDF", "CVODE: variable-order BDF, implicit", ("stiff",)),
        ("Adams", "CVODE: variable-order Adams-Moulton", ()),
    )
)
