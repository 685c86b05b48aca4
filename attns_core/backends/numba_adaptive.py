"""Adaptive solves of the compiled backend."""

from typing import TYPE_CHECKING, Any

import numpy as np

from attns_core.backend import PreparedSolve
from attns_core.backends.numba_record import recorded
from attns_core.backends.numba_rosenbrock import adaptive_kernel
from attns_core.backends.numba_threads import share
from attns_core.backends.numpy_adaptive import REASONS
from attns_core.control import Adaptive
from attns_core.errors import AttnsError
from attns_core.kernels.adaptive import adaptive, adaptive_staged
from attns_core.kernels.attempts import Pair, staged_tables
from attns_core.kernels.cache import load_kernel
from attns_core.kernels.form import ENTRY, Form, Generated
from attns_core.kernels.vectors import explicit_bits
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Rosenbrock
from attns_core.problem import Problem
from attns_core.solution import Solution
from attns_core.step_size import CONTROLLER

if TYPE_CHECKING:
    from attns_core.backends.numba_cpu import NumbaBackend

_FEW = 256
"""Trajectories up to which blocks are short, so that few lanes wait for the last trajectories."""

_SMALL = 100
"""Components times stages up to which the stages of 32 trajectories stay in the first cache."""


def prepare_adaptive(
    backend: "NumbaBackend", problem: Problem, method: AbstractMethod, control: Adaptive, dtype: str
) -> PreparedSolve:
    """Compile an adaptive solve; see :mod:`attns_core.backends.numpy_adaptive` for what it computes."""
    n, graph, power = problem.n, recorded(problem.equation), _error_power(method)
    whole = backend.is_whole(graph, method)
    pair = _pair(method) if isinstance(method, ExplicitRungeKutta) else None
    width = explicit_bits(backend.asked_vector_bits) // (64 if dtype == "float64" else 32)
    # A loop over the lanes of a single vector stays scalar.
    lanes = max(_lanes(problem, method), 2 * width)

    def generate(exact: bool) -> Generated:
        bits = backend.asked_vector_bits
        form = Form(dtype=dtype, lanes=lanes, fastmath=backend.fastmath, exact=exact, vector_bits=bits)
        if isinstance(method, Rosenbrock):
            return adaptive_kernel(method, graph, form)
        assert pair is not None
        if whole:
            return adaptive(graph, pair, form)
        return adaptive_staged(graph, form, is_fsal=pair.is_fsal, has_low=pair.b_low is not None)

    generated = generate(False)
    tables = () if whole or pair is None else staged_tables(pair, dtype)
    c = np.array(graph.evaluate(generated.parameters, problem.equation.p.numeric().tolist()))
    rule = CONTROLLER
    rules = (rule.safety, rule.min_factor, rule.max_factor, rule.least_error, rule.reach)
    rules += (*rule.exponents(power), float(power))
    tolerances = np.array([control.rtol, control.atol])
    u0 = problem.u0.astype(dtype)
    kernel = load_kernel(generated.source, ENTRY)

    def call(kernel: Any, out: Any, counters: Any, first: int, last: int) -> None:
        limit = control.max_steps
        kernel(u0, out, problem.t_save, tolerances, rules, limit, c, counters, first, last, *tables)

    # Compiles without stepping.
    call(kernel, np.empty((1, *u0.shape), dtype=u0.dtype), np.zeros((3, n), dtype=np.int64), 0, 0)

    def solve() -> Solution:
        out = np.empty((problem.t_save.size, *u0.shape), dtype=u0.dtype)
        counters = np.zeros((3, n), dtype=np.int64)
        used = share(lambda first, last: call(kernel, out, counters, first, last), n, backend.threads, least=lanes)
        again = np.flatnonzero(np.isnan(out[-1]).any(axis=0)) if generated.has_limits else np.zeros(0, dtype=np.int64)
        if again.size:
            libm = load_kernel(generate(True).source, ENTRY)
            for i in again.tolist():
                counters[:, i] = 0
                call(libm, out, counters, i, i + 1)
        steps, rejected, lost = counters
        return Solution(
            t=problem.t_save,
            u=out,
            n_steps=steps,
            n_rejected=rejected,
            nfe=_evaluations(method, problem, steps, rejected, lost),
            message="; ".join(
                f"{np.count_nonzero(lost == code)} given up: {reason.format(max_steps=control.max_steps)}"
                for code, reason in REASONS.items()
                if np.any(lost == code)
            ),
            extra={
                "threads": used,
                "fastmath": backend.fastmath,
                "lanes": lanes,
                "vector_bits": backend.asked_vector_bits,
                "form": "fused" if whole else "staged",
                "repeated_exactly": int(again.size),
            },
        )

    return solve


def _lanes(problem: Problem, method: AbstractMethod) -> int:
    """Trajectories side by side: many hide the latency of the decision about an attempt, as measured."""
    if problem.n <= _FEW:
        return 8
    assert isinstance(method, ExplicitRungeKutta | Rosenbrock)
    return 32 if problem.equation.dim * method.stages <= _SMALL else 16


def _pair(method: ExplicitRungeKutta) -> Pair:
    t = method.tableau
    return Pair(a=t.a, b=t.b, c=t.c, b_error=t.b_error, b_low=method.b_error_low, is_fsal=t.is_fsal)


def _error_power(method: AbstractMethod) -> int:
    if isinstance(method, ExplicitRungeKutta | Rosenbrock):
        return method.error_power
    raise AttnsError(f"{method.name} has no error estimate; give a fixed dt")


def _evaluations(method: AbstractMethod, problem: Problem, steps: Any, rejected: Any, lost: Any) -> Any:
    """Right-hand sides per trajectory, as the reference counts them."""
    if problem.t_save.size == 1:
        return np.zeros_like(steps)
    explicit = isinstance(method, ExplicitRungeKutta)
    stages = method.stages if explicit else method.evaluations  # type: ignore[attr-defined]
    nfe = 2 + (stages - 1) * (steps + rejected)
    return nfe if explicit and method.tableau.is_fsal else nfe + steps - (lost == 0)
