"""Which equations a splitting applies to."""

from attns_core.equation import Equation
from attns_core.method import Splitting
from attns_core.tracing import trace


def why_not_split(method: Splitting, equation: Equation) -> str | None:
    """None if ``method`` applies to ``equation``, else the reason why not."""
    traced = trace(equation)
    if traced.halves is None:
        return f"{method.name} needs a separable system q' = g(v), v' = f(q)"
    positions, velocities = traced.halves
    if method.nystrom:
        dim, entries = equation.dim, traced.jacobian_program
        shared = {s for s, e in entries.assignments if e.free_symbols & {traced.t, *traced.u}}
        varying = shared | {traced.t, *traced.u}
        for i in positions:
            for j in velocities:
                if entries.outputs[i * dim + j].free_symbols & varying:
                    return f"{method.name} needs a second-order system q' = M v, v' = f(q)"
    return None
