"""The right-hand side of a problem in the form a solver asks for, all from the one function its author wrote.

=============  ===================================================================================
form           what you get
=============  ===================================================================================
``numpy``      ``f(t, u)``: ``u`` of shape (dim,) or (dim, n), NumPy; returns the same shape
``scalar``     ``f(t, u)``: ``u`` of shape (dim,), compiled; returns a new array: what SciPy wants
``jacobian``   ``jac(t, u)``: ``u`` of shape (dim,), compiled; returns (dim, dim)
``numba``      ``f(t, u, du, p)``: a numba function that writes ``du``; all of shape (dim,)
``cfunc``      a C function pointer ``void f(double t, double *u, double *du, double *p)``
``torch``      ``f(t, u)`` on tensors (dim,) or (dim, n), differentiable, on the tensor's device
``jax``        ``f(t, u)`` on jax arrays (dim,) or (dim, n); jit, vmap and grad apply
``heyoka``     ``[(variable, expression), ...]`` for ``heyoka.taylor_adaptive``
``sympy``      the :class:`~attns_core.tracing.Trace`: symbols, expressions, Jacobian, LaTeX
=============  ===================================================================================

``p`` is ``problem.equation.p.numeric()``: the numeric parameters as one array.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from attns_core.equation import Equation, evaluate_rhs
from attns_core.errors import UnknownNameError
from attns_core.types import Array


def rhs_form(equation: Equation, form: str) -> Any:
    """The right-hand side of ``equation`` in a form of the table above.

    Raises
    ------
    UnknownNameError
        For a form that is not in the table.
    AttnsError
        If the right-hand side cannot be traced (all forms but ``numpy``, ``torch`` and ``jax``).
    ModuleNotFoundError
        If the form's library is not installed.
    """
    if form not in _FORMS:
        raise UnknownNameError("form of a right-hand side", form, _FORMS)
    return _FORMS[form](equation)


def _numpy(equation: Equation) -> Callable[[Any, Array], Array]:
    p = equation.p
    return lambda t, u: evaluate_rhs(equation, t, np.asarray(u), p)


def _numba(equation: Equation) -> Any:
    from attns_core.backends.numba_record import with_long_sums
    from attns_core.kernels.cache import load_kernel
    from attns_core.kernels.recorded_source import function_source, rhs_targets
    from attns_core.kernels.scalar_source import rhs_source
    from attns_core.tracing import trace

    graph = with_long_sums(equation)
    if graph is not None:
        return load_kernel(function_source(graph, "rhs", "t, u, du, p", rhs_targets(graph, "du")), "rhs")
    traced = trace(equation)
    program = traced.program
    return load_kernel(rhs_source(traced.t, traced.u, traced.p, program.assignments, program.outputs), "rhs")


def _scalar(equation: Equation) -> Callable[[float, Array], Array]:
    compiled, p = _numba(equation), equation.p.numeric()

    def f(t: float, u: Array) -> Array:
        du = np.empty_like(u)
        compiled(t, u, du, p)
        return du

    f(float(equation.t0), np.ones(equation.dim))  # compiles now, not in the first timed call
    return f


def _jacobian(equation: Equation) -> Callable[[float, Array], Array]:
    from attns_core.backends.numba_record import with_long_sums
    from attns_core.kernels.cache import load_kernel
    from attns_core.kernels.recorded_source import function_source, jacobian_nodes
    from attns_core.kernels.scalar_source import jacobian_source
    from attns_core.tracing import trace

    p, graph = equation.p.numeric(), with_long_sums(equation)
    if graph is None:
        traced = trace(equation)
        program = traced.jacobian_program
        source = jacobian_source(traced.t, traced.u, traced.p, program.assignments, program.outputs)
    else:
        targets = {f"out[{i}, {j}]": node for (i, j), node in jacobian_nodes(graph).items()}
        source = function_source(graph, "jacobian", "t, u, out, p", targets)
    compiled = load_kernel(source, "jacobian")

    def jac(t: float, u: Array) -> Array:
        out = np.zeros((u.size, u.size))
        compiled(t, u, out, p)
        return out

    jac(float(equation.t0), np.ones(equation.dim))
    return jac


def _cfunc(equation: Equation) -> Any:
    import numba
    from numba import carray, types  # pyright: ignore[reportPrivateImportUsage]

    inner, dim, n_p = _numba(equation), equation.dim, equation.p.numeric().size
    pointer = types.CPointer(types.double)

    @numba.cfunc(types.void(types.double, pointer, pointer, pointer))
    def pointer_rhs(t, u, du, p):  # type: ignore[no-untyped-def]
        inner(t, carray(u, dim), carray(du, dim), carray(p, n_p))

    return pointer_rhs


def _torch(equation: Equation) -> Callable[[Any, Any], Any]:
    import torch

    from attns_core.maths import torch_maths

    p, m = equation.p, torch_maths()

    def f(t: Any, u: Any) -> Any:
        rows = equation.rhs(t, tuple(u), p, m)
        return torch.stack([r if isinstance(r, torch.Tensor) else torch.full_like(u[0], r) for r in rows])

    views: dict[Any, Any] = {}

    def view(u: Any) -> Any:
        key = (u.dtype, u.device)
        if key not in views:
            views[key] = p.with_arrays(lambda v: torch.tensor(v, dtype=u.dtype, device=u.device))
        return views[key]

    return f if equation.array_rhs is None else _on_arrays(equation.array_rhs, view, torch)


def _jax(equation: Equation) -> Callable[[Any, Any], Any]:
    import jax.numpy as jnp  # pyright: ignore[reportMissingImports]

    from attns_core.maths import jax_maths

    p, m = equation.p, jax_maths()

    def f(t: Any, u: Any) -> Any:
        rows = equation.rhs(t, tuple(u), p, m)
        return jnp.stack([jnp.broadcast_to(jnp.asarray(r, dtype=u.dtype), u.shape[1:]) for r in rows])

    def view(u: Any) -> Any:
        return p.with_arrays(lambda v: jnp.asarray(v, dtype=u.dtype))

    return f if equation.array_rhs is None else _on_arrays(equation.array_rhs, view, jnp)


def _on_arrays(array_rhs: Callable[..., Any], view: Callable[[Any], Any], xp: Any) -> Callable[[Any, Any], Any]:
    """The array form, which large systems have: component by component they compile for minutes."""

    def f(t: Any, u: Any) -> Any:
        if u.ndim == 1:
            return array_rhs(t, u[:, None], view(u), xp)[:, 0]
        return array_rhs(t, u, view(u), xp)

    return f


def _heyoka(equation: Equation) -> list[tuple[Any, Any]]:
    import heyoka as hy

    from attns_core.maths import heyoka_maths

    variables = hy.make_vars(*(f"u{i}" for i in range(equation.dim)))
    variables = variables if isinstance(variables, list) else [variables]
    rows = equation.rhs(hy.time, tuple(variables), equation.p, heyoka_maths())
    return [
        (v, r if isinstance(r, hy.expression) else hy.expression(float(r)))
        for v, r in zip(variables, rows, strict=True)
    ]


def _sympy(equation: Equation) -> Any:
    from attns_core.tracing import trace

    return trace(equation)


_FORMS: dict[str, Callable[[Equation], Any]] = {
    "numpy": _numpy,
    "scalar": _scalar,
    "jacobian": _jacobian,
    "numba": _numba,
    "cfunc": _cfunc,
    "torch": _torch,
    "jax": _jax,
    "heyoka": _heyoka,
    "sympy": _sympy,
}

FORMS = tuple(_FORMS)
