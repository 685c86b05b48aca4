"""What functions for the layers of a corrector have in common: their arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from attns_core.kernels.vector_arithmetic import Vectors

_intrinsic: Any = intrinsic


@final
class Arguments:
    """The arguments of a function under construction, by position."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any) -> None:
        self._context, self._builder, self._types, self._args = context, builder, signature.args, args

    def pointer(self, i: int) -> Any:
        """An array's data."""
        return self._array(i).data

    def index(self, i: int) -> Any:
        """A whole number, as an index."""
        return self._context.cast(self._builder, self._args[i], self._types[i], types.intp)

    def number(self, i: int) -> Any:
        """A number as it is."""
        return self._args[i]

    def length(self, i: int) -> Any:
        """An array's first extent."""
        return cgutils.unpack_tuple(self._builder, self._array(i).shape)[0]

    def _array(self, i: int) -> Any:
        return self._context.make_array(self._types[i])(self._context, self._builder, self._args[i])


@final
@dataclass(frozen=True)
class Given:
    """A layer's arguments as values of the compiler's intermediate language.

    Parameters
    ----------
    target, source : pointer
        The work array, and the array with the layer's own inputs; rows of lanes.
    constants, lines, weights, heads : pointer
        Start of the sums, linear part, and the layer, flat.
    first_input, first_sum, first_row : index
        Rows: of the linear part's inputs and of the sums in ``target``, of the layer's inputs in ``source``.
    count : index
        Units.
    shapes : list of vector
        Coefficients of a rational activation.
    """

    target: Any
    source: Any
    constants: Any
    lines: Any
    weights: Any
    heads: Any
    first_input: Any
    first_sum: Any
    first_row: Any
    count: Any
    shapes: list[Any]


def layer_function(
    dtype: str, width: int, activation: str, write: Callable[[Vectors, Any, Given], None], *, fastmath: bool = False
) -> Any:
    """The function ``layer(w, linear_rows, sums, x, rows, constant, linear, weights, heads, shape)``.

    It leaves ``constant + linear.T @ inputs + heads.T @ activation(weights @ (x, 1))`` in the rows of
    ``w`` from ``sums`` on; ``inputs`` are the rows of ``w`` from ``linear_rows`` on, the layer's own inputs
    the rows of ``x`` from ``rows`` on. All arrays are flat or row-major.

    ``write(vectors, index, given)`` writes its body; ``index`` makes an index of a whole number.
    """

    @_intrinsic
    def layer(
        context: Any, w: Any, linear_rows: Any, sums: Any, x: Any, rows: Any, constant: Any, linear: Any,
        weights: Any, heads: Any, shape: Any,
    ) -> Any:  # fmt: skip
        signature = types.void(w, linear_rows, sums, x, rows, constant, linear, weights, heads, shape)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            own = Arguments(context, builder, signature, args)
            index = context.get_value_type(types.intp)
            v = Vectors(builder, dtype, width, fastmath=fastmath)
            given = Given(
                *(own.pointer(i) for i in (0, 3, 5, 6, 7, 8)),
                *(own.index(i) for i in (1, 2, 4)),
                count=own.length(7),
                shapes=[v.spread(own.pointer(9), index(i)) for i in range(7)] if activation == "rational" else [],
            )
            write(v, index, given)
            return context.get_dummy_value()

        return signature, generate

    return layer
