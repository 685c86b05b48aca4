"""Right-hand sides and Jacobians of an equation over many states, compiled: what training inside the step needs."""

from collections.abc import Callable
from typing import final

import numpy as np

from attns_core.backends.numba_record import recorded
from attns_core.equation import Equation
from attns_core.kernels.cache import load_kernel
from attns_core.kernels.derivatives import differentiate
from attns_core.kernels.form import ENTRY, Form, Generated
from attns_core.kernels.linearised import linearised
from attns_core.types import Array

_LANES = 16


@final
class Linearisation:
    """``f(t, u)`` and ``df/du`` of an equation at states ``(dim, n)``, each with a time of its own; compiled at once.

    Attributes
    ----------
    dim : int
    is_autonomous : bool
        Whether the right-hand side does not depend on time.

    Raises
    ------
    AttnsError
        If the right-hand side cannot be recorded.
    """

    def __init__(self, equation: Equation) -> None:
        self.dim = equation.dim
        graph = recorded(equation)
        self.is_autonomous = not graph.uses_time
        p = equation.p.numeric().tolist()

        def compiled(generated: Generated) -> Callable[[Array, Array, Array], None]:
            kernel = load_kernel(generated.source, ENTRY)
            c = np.array(graph.evaluate(generated.parameters, p))

            def fill(t: Array, u: Array, values: Array) -> None:
                # One layout, so that one kernel serves slices too.
                kernel(np.ascontiguousarray(u), t, values, c, 0, -(-u.shape[1] // _LANES))

            fill(np.zeros(0), np.empty((self.dim, 0)), np.empty((0, 0)))
            return fill

        form = Form(lanes=_LANES, exact=True)
        self._values = compiled(linearised(graph, None, form))
        self._all = compiled(linearised(graph, differentiate(graph), form))

    def rhs(self, t: Array, u: Array) -> Array:
        """``f`` at ``u`` (dim, n) and times ``t`` (n,), shape (dim, n)."""
        values = np.empty_like(u)
        self._values(t, u, values)
        return values

    def jacobian(self, t: Array, u: Array) -> Array:
        """``df_i/du_j`` at ``u`` (dim, n) and times ``t`` (n,), shape (n, dim, dim)."""
        values = np.zeros((self.dim + self.dim**2, u.shape[1]))
        self._all(t, u, values)
        return np.ascontiguousarray(values[self.dim :].reshape(self.dim, self.dim, -1).transpose(2, 0, 1))
