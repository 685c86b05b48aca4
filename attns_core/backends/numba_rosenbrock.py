"""Rosenbrock methods on the compiled backend: what a kernel needs of method and equation."""

from typing import Any

from attns_core.equation import Equation
from attns_core.kernels.adaptive import module
from attns_core.kernels.derivatives import differentiate
from attns_core.kernels.emit import Emitter
from attns_core.kernels.form import Form, Generated
from attns_core.kernels.graph import Graph
from attns_core.kernels.rosenbrock import LARGEST, RosenbrockAttempt, Scheme, rosenbrock_step
from attns_core.kernels.step import Step
from attns_core.method import Rosenbrock


def why_not_compiled(method: Rosenbrock, equation: Equation) -> str | None:
    """None if the step can be compiled, else the reason why not."""
    if equation.dim > LARGEST:
        return f"{method.name} is compiled for at most {LARGEST} components, {equation.name} has {equation.dim}"
    return None


def fixed_step(method: Rosenbrock, graph: Graph, form: Form) -> Step:
    """One step of fixed length as statements; the equation's record gains its derivatives."""
    return rosenbrock_step(graph, differentiate(graph), _scheme(method), form)


def adaptive_kernel(method: Rosenbrock, graph: Graph, form: Form) -> Generated:
    """The kernel of adaptive solves; the equation's record gains its derivatives."""
    emitter = Emitter(graph, form.function)
    return module(emitter, RosenbrockAttempt(emitter, differentiate(graph), _scheme(method)), form)


def _scheme(method: Rosenbrock) -> Scheme:
    e: Any = method.e if method.e is not None else 0 * method.m
    return Scheme(gamma=method.gamma, a=method.a, c=method.c, m=method.m, e=e, alpha=method.alpha, slope=method.slope)
