"""SciPy's adaptive integrators, one trajectory at a time.

Particulars: the right-hand side is compiled (in plain Python it would be the bottleneck, up
to twenty times slower); implicit methods get the traced Jacobian; ``rtol`` below 100 times round-off is
raised to that by SciPy with a warning, which is silenced; ``solve_ivp`` has no limit on the number of
steps, so the stepper classes are driven directly, with the same steps and dense output as ``solve_ivp``.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core import Adaptive, BlackBoxSolver, Citation, Problem, Solution
from attns_interop.library import padded

_IMPLICIT = ("Radau", "BDF")
_LARGEST_JACOBIAN = 64  # beyond this compiling it costs more than SciPy's finite differences


@final
@dataclass(frozen=True)
class ScipyMethod:
    """One of SciPy's stepper classes, by name."""

    method: str

    def prepare(self, problem: Problem, control: Adaptive) -> Callable[[], Solution]:
        import scipy.integrate

        stepper = getattr(scipy.integrate, self.method)
        f = problem.rhs("scalar")
        options: dict[str, Any] = {"rtol": control.rtol, "atol": control.atol}
        if self.method in _IMPLICIT and problem.equation.dim <= _LARGEST_JACOBIAN:
            options["jac"] = problem.rhs("jacobian")

        def solve() -> Solution:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return _integrate(stepper, f, problem, control.max_steps, options)

        return solve


def _integrate(
    stepper: Any, f: Callable[..., Any], problem: Problem, max_steps: int, options: dict[str, Any]
) -> Solution:
    t_save = problem.t_save
    solver = stepper(f, problem.t0, problem.u0[:, 0].copy(), problem.t_end, **options)
    rows, steps, message = [problem.u0[:, 0]], 0, ""
    while solver.status == "running" and steps < max_steps:
        message = solver.step() or ""
        steps += 1
        due = np.searchsorted(t_save, solver.t, side="right")
        if solver.status != "failed" and due > len(rows):
            rows.extend(solver.dense_output()(t_save[len(rows) : due]).T)
    if solver.status == "running":
        message = f"gave up after {max_steps} steps"
    return Solution(t=t_save, u=padded(problem, rows), n_steps=steps, nfe=max(solver.nfev, steps), message=message)


_SCIPY = Citation(
    key="virtanen2020scipy",
    authors="P. Virtanen et al.",
    title="SciPy 1.0: fundamental algorithms for scientific computing in Python",
    where="Nature Methods 17, 261-272",
    year=2020,
    doi="10.1038/s41592-019-0686-2",
)

SCIPY = tuple(
    BlackBoxSolver(
        name=f"scipy-{method.lower()}",
        title=title,
        implementation=ScipyMethod(method),
        control="adaptive",
        per_trajectory=True,
        tags=frozenset({"scipy", "interop", "adaptive", *tags}),
        citation=_SCIPY,
    )
    for method, title, tags in (
        ("RK45", "SciPy's Dormand-Prince 5(4)", ()),
        ("DOP853", "SciPy's Dormand-Prince 8(5,3)", ()),
        ("Radau", "SciPy's Radau IIA of order 5, implicit", ("stiff",)),
        ("BDF", "SciPy's backward differentiation formulas, order 1 to 5", ("stiff",)),
        ("LSODA", "SciPy's LSODA: Adams and BDF with automatic switching", ("stiff",)),
    )
)
