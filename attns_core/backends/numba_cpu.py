"""The compiled CPU backend: generated kernels over blocks of trajectories."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from threadpoolctl import threadpool_limits

from attns_core.backend import AbstractBackend, PreparedSolve
from attns_core.backends.numba_adaptive import prepare_adaptive
from attns_core.backends.numba_blocks import block_length
from attns_core.backends.numba_corrector import corrector_form, corrector_tables
from attns_core.backends.numba_exponential import exponential_tables, varying_tables, why_not_exponential
from attns_core.backends.numba_record import recorded
from attns_core.backends.numba_rosenbrock import fixed_step, why_not_compiled
from attns_core.backends.numba_tableau import LearnedTables, learned_tables
from attns_core.backends.numba_threads import share
from attns_core.control import Adaptive, FixedStep, StepControl
from attns_core.correction import why_no_tableau
from attns_core.corrector_sequence import Correction, CorrectorSequence
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.exponential import ExponentialRungeKutta
from attns_core.kernels import fixed
from attns_core.kernels.cache import load_kernel
from attns_core.kernels.corrected import corrected as corrected_steps
from attns_core.kernels.exponential import ExponentialLines
from attns_core.kernels.fixed import StagedLines, staged_coefficients
from attns_core.kernels.form import ENTRY, Form, Generated
from attns_core.kernels.graph import LANE, Graph
from attns_core.kernels.step import Step, runge_kutta_step, splitting_step, zero_step
from attns_core.kernels.sums import SumLoop, needed, sum_loops
from attns_core.kernels.vectors import WIDTHS, automatic_bits
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Rosenbrock, Splitting, ZeroIncrement
from attns_core.problem import Problem
from attns_core.solution import Solution
from attns_core.step_sequence import step_sequence
from attns_core.trained_corrector import TrainedCorrector

_FUSED_OPERATIONS = 1500
"""Straight-line operations up to which a whole step is compiled as one; beyond, compiling takes seconds."""


@final
@dataclass(frozen=True, kw_only=True)
class NumbaBackend(AbstractBackend):
    """Compiled kernels; ``dataclasses.replace`` it to change options.

    Parameters
    ----------
    threads : int
        Threads that share the blocks of trajectories; results do not depend on it.
    fastmath : bool
        Let the compiler reassociate arithmetic, divide by reciprocals and ignore signs of zero.
    lanes : int
        Trajectories per block, a multiple of the vector length; results do not depend on it.
    form : {"auto", "fused", "staged"}
        Whole steps as straight-line code, or right-hand sides only; ``auto`` decides by size.
    vector_bits : {None, 0, 128, 256, 512}
        Width of vectors to ask the compiler for, 0 for the compiler's own choice; None asks for the full
        width on processors known to gain by it. Results do not depend on it without fast-math.
    """

    name: str = "numba"
    threads: int = 1
    fastmath: bool = False
    lanes: int = 32
    form: str = "auto"
    vector_bits: int | None = None

    def __post_init__(self) -> None:
        if self.threads < 1 or self.lanes < 1:
            raise AttnsError(f"threads and lanes must be at least 1, got {self.threads} and {self.lanes}")
        if self.form not in ("auto", "fused", "staged"):
            raise AttnsError(f"form must be auto, fused or staged, got {self.form!r}")
        if self.vector_bits is not None and self.vector_bits not in WIDTHS:
            raise AttnsError(f"vector_bits must be None or one of {WIDTHS}, got {self.vector_bits!r}")

    @property
    def asked_vector_bits(self) -> int:
        """The width of vectors that kernels ask for on this processor."""
        return automatic_bits() if self.vector_bits is None else self.vector_bits

    def options(self) -> dict[str, Any]:
        return {"threads": self.threads, "fastmath": self.fastmath}

    def supports(
        self,
        problem: Problem,
        method: AbstractMethod,
        control: StepControl,
        corrector: Correction | None,
        dtype: str,
    ) -> str | None:
        misfit = why_no_tableau(method, corrector)
        if misfit is not None:
            return misfit
        if isinstance(method, Splitting):
            from attns_core.splittings import why_not_split

            if isinstance(control, Adaptive):
                return f"{method.name} has no error estimate"
            return why_not_split(method, problem.equation)
        if isinstance(method, Rosenbrock):
            reason = why_not_compiled(method, problem.equation)
            if reason is not None:
                return reason
        elif isinstance(method, ExponentialRungeKutta):
            reason = why_not_exponential(method, problem.equation)
            if reason is not None:
                return reason
        elif not isinstance(method, ExplicitRungeKutta | ZeroIncrement):
            return f"the numba backend has no step for {type(method).__name__}"
        if isinstance(control, Adaptive) and not method.is_adaptive:
            return f"{method.name} has no error estimate"
        return None

    def prepare(
        self,
        problem: Problem,
        method: AbstractMethod,
        control: StepControl,
        corrector: Correction | None,
        dtype: str,
    ) -> PreparedSolve:
        if isinstance(control, Adaptive):
            return prepare_adaptive(self, problem, method, control, dtype)
        steps = step_sequence(problem, method, control)
        counts = steps.counts
        varying = not isinstance(control, FixedStep) or isinstance(corrector, CorrectorSequence)
        graph = recorded(problem.equation)
        corrected = corrector is not None and corrector.active
        own = None
        if corrector is not None and corrected and corrector.tableau is not None:
            assert isinstance(method, ExplicitRungeKutta)
            assert isinstance(corrector, TrainedCorrector)
            own = learned_tables(method, corrector)
        # Weights of components' own travel in arrays, which whole steps have none of.
        whole = own is None and self.is_whole(graph, method, single=problem.n == 1 and not corrected)
        # A single trajectory stays in scalars, which only bare whole steps can.
        lanes = 1 if problem.n == 1 and whole and not corrected else self.lanes
        dim = problem.equation.dim
        with_term = corrector if corrector is not None and corrected and corrector.has_term else None
        term = None if with_term is None else corrector_form(with_term, dim, method)

        def form(exact: bool) -> Form:
            bits = self.asked_vector_bits
            return Form(
                dtype=dtype, lanes=lanes, fastmath=self.fastmath, exact=exact, vector_bits=bits, varying=varying
            )

        if problem.n > 4 * lanes:
            weights = 0 if own is None else own.attentive_weights
            lanes = block_length(form(exact=False), dim, method, term, whole=whole, weights=weights)

        def generate(exact: bool) -> Generated:
            return _fixed_kernel(problem, method, with_term, graph, form(exact), whole, own)

        def tables(exact: bool) -> tuple[Any, ...]:
            arrays: tuple[Any, ...] = ()
            if isinstance(method, ExplicitRungeKutta) and not whole:
                t = method.tableau
                arrays = staged_coefficients(t.a, t.b, t.c, t.needed, dtype=dtype) if own is None else own.arrays(dtype)
            if isinstance(method, ExponentialRungeKutta):
                if varying:
                    arrays = varying_tables(method, problem.equation, steps.lengths, dtype)
                else:
                    arrays = exponential_tables(method, problem.equation, float(steps.lengths[0]), dtype)
            if with_term is not None:
                arrays += corrector_tables(with_term, dim, method, form(exact))
            return arrays

        products = term is not None and term.uses_products(dim)
        generated = generate(False)
        c = np.array(graph.evaluate(generated.parameters, problem.equation.p.numeric().tolist()))
        kernel = load_kernel(generated.source, ENTRY)
        u0 = problem.u0.astype(dtype)
        n_steps = steps.n_steps
        lengths = (control.dt,) if isinstance(control, FixedStep) and not varying else (steps.starts, steps.lengths)
        n_blocks = -(-problem.n // lanes)

        arrays = tables(False)

        def call(kernel: Any, arrays: Any, out: Any, chosen: Any, first: int, last: int) -> None:
            kernel(u0, out, problem.t_save, chosen, *lengths, c, first, last, *arrays)

        # Compiles without stepping.
        call(kernel, arrays, np.empty((1, *u0.shape), dtype=u0.dtype), counts[:0], 0, 0)

        def solve() -> Solution:
            out = np.empty((problem.t_save.size, *u0.shape), dtype=u0.dtype)
            with threadpool_limits(1, user_api="blas") if products else nullcontext():
                used = share(lambda first, last: call(kernel, arrays, out, counts, first, last), n_blocks, self.threads)
            again = _blocks_with_nan(out, lanes) if generated.has_limits else []
            if again:
                libm = load_kernel(generate(True).source, ENTRY)
                exactly = tables(True)
                for block in again:
                    call(libm, exactly, out, counts, block, block + 1)
            return Solution(
                t=problem.t_save,
                u=out,
                n_steps=n_steps,
                nfe=n_steps * _evaluations(method),
                n_corrector=_corrected_steps(corrector, n_steps),
                extra={
                    "threads": used,
                    "fastmath": self.fastmath,
                    "lanes": lanes,
                    "vector_bits": self.asked_vector_bits,
                    "form": "fused" if whole else "staged",
                    "blocks_repeated_exactly": len(again),
                },
            )

        return solve

    def is_whole(self, graph: Graph, method: AbstractMethod, *, single: bool = False) -> bool:
        """Whether a method's whole step is compiled as straight-line code, for a ``single`` trajectory or a block."""
        if isinstance(method, Splitting | Rosenbrock | ZeroIncrement):
            return True
        if isinstance(method, ExponentialRungeKutta):
            return False
        if self.form != "auto":
            return self.form == "fused"
        loops = sum_loops(graph, graph.outputs, LANE)
        # They divide a loop over lanes, so that whole steps would gain nothing by being one piece.
        return (single or not loops) and _operations(graph, method, loops) <= _FUSED_OPERATIONS


def _fixed_kernel(
    problem: Problem,
    method: AbstractMethod,
    corrector: Correction | None,
    graph: Graph,
    form: Form,
    whole: bool,
    own: LearnedTables | None,
) -> Generated:
    step: Step | StagedLines
    if isinstance(method, Splitting):
        halves = _halves(problem.equation)
        assert halves is not None
        step = splitting_step(graph, method.drift, method.kick, halves, form)
    elif isinstance(method, Rosenbrock):
        step = fixed_step(method, graph, form)
    elif isinstance(method, ExponentialRungeKutta):
        step = ExponentialLines(graph, form)
    elif isinstance(method, ZeroIncrement):
        step = zero_step(graph, form)
    else:
        assert isinstance(method, ExplicitRungeKutta)
        t = method.tableau
        if whole:
            step = runge_kutta_step(graph, t.a, t.b, t.c, t.needed, form)
        elif own is None:
            step = StagedLines(graph, form)
        else:
            step = StagedLines(graph, form, sets=own.sets, queries=own.queries)
    if corrector is not None:
        return corrected_steps(step, corrector_form(corrector, problem.equation.dim, method), form)
    return fixed.staged(step, form) if isinstance(step, StagedLines) else fixed.fused(step, form)


def _halves(equation: Equation) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    from attns_core.tracing import trace

    return trace(equation).halves


def _evaluations(method: AbstractMethod) -> int:
    match method:
        case ExplicitRungeKutta():
            return method.tableau.effective_stages
        case Rosenbrock():
            return method.evaluations
        case Splitting() | ExponentialRungeKutta() | ZeroIncrement():
            return method.stages
    raise AttnsError(f"the numba backend has no step for {type(method).__name__}")


def _corrected_steps(corrector: Correction | None, n_steps: int) -> int:
    if isinstance(corrector, CorrectorSequence):
        active = np.array([c.active for c in corrector.correctors])
        return int(active[np.arange(n_steps) % active.size].sum())
    return n_steps if corrector is not None and corrector.active else 0


def _operations(graph: Graph, method: AbstractMethod, loops: dict[int, SumLoop]) -> int:
    """Lines of a whole step, roughly."""
    assert isinstance(method, ExplicitRungeKutta)
    t = method.tableau
    terms = int(np.count_nonzero(t.a)) + int(np.count_nonzero(t.b))
    lines = len(needed(graph, graph.outputs, loops)) + sum(len(loop.formula.graph.ops) for loop in set(loops.values()))
    return t.effective_stages * lines + 2 * terms * len(graph.outputs)


def _blocks_with_nan(out: Any, lanes: int) -> list[int]:
    """Blocks in which a trajectory ended as NaN (which a state never recovers from)."""
    return sorted({int(i) // lanes for i in np.flatnonzero(np.isnan(out[-1]).any(axis=0))})
