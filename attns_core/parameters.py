"""Parameters of an equation: named values, immutable, readable as attributes inside a right-hand side."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, final

import numpy as np

from attns_core.errors import AttnsError
from attns_core.types import Array

ParamValue: TypeAlias = int | float | tuple[float, ...]


@final
class Params(Mapping[str, ParamValue]):
    """Named parameter values.

    An ``int`` is *structural*: it decides the shape of the equation (a number of masses) and is
    compiled in. A ``float`` or a tuple of floats is *numeric*: it travels to kernels in an array, so
    that changing it needs no new compilation.

    Examples
    --------
    >>> p = Params(n=2, g=9.81, k=(1.0, 2.0))
    >>> p.g, p.k[1]
    (9.81, 2.0)
    >>> p.numeric()
    array([9.81, 1.  , 2.  ])
    """

    __slots__ = ("_values",)

    def __init__(self, **values: Any) -> None:
        clean: dict[str, ParamValue] = {}
        for name, value in values.items():
            clean[name] = _clean(name, value)
        object.__setattr__(self, "_values", clean)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"no parameter {name!r}; there are {sorted(self._values)}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("parameters are immutable; use equation.with_params(...)")

    def __getitem__(self, name: str) -> ParamValue:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return "Params(" + ", ".join(f"{k}={v!r}" for k, v in self._values.items()) + ")"

    def __reduce__(self) -> Any:
        return (_restore, (dict(self._values),))

    def structural(self) -> dict[str, int]:
        """The parameters that decide shapes."""
        return {k: v for k, v in self._values.items() if isinstance(v, int)}

    def numeric(self) -> Array:
        """All numeric parameters, flattened in order of definition; shape ``(n_numeric,)``."""
        flat: list[float] = []
        for value in self._values.values():
            if isinstance(value, float):
                flat.append(value)
            elif isinstance(value, tuple):
                flat.extend(value)
        return np.array(flat, dtype=np.float64)

    def numeric_names(self) -> list[str]:
        """One name per entry of :meth:`numeric`: ``"g"``, ``"k[0]"``, ``"k[1]"``, ..."""
        names: list[str] = []
        for name, value in self._values.items():
            if isinstance(value, float):
                names.append(name)
            elif isinstance(value, tuple):
                names.extend(f"{name}[{i}]" for i in range(len(value)))
        return names

    def replaced_by(self, flat: Any) -> "ParamView":
        """The same names with the numeric values taken from ``flat`` (symbols, tensors, numbers)."""
        values: dict[str, Any] = {}
        position = 0
        for name, value in self._values.items():
            if isinstance(value, float):
                values[name] = flat[position]
                position += 1
            elif isinstance(value, tuple):
                values[name] = tuple(flat[position + i] for i in range(len(value)))
                position += len(value)
            else:
                values[name] = value
        return ParamView(values)

    def with_arrays(self, convert: Callable[[tuple[float, ...]], Any]) -> "ParamView":
        """The same values with every list passed through ``convert``: what an array form sees as ``p``."""
        return ParamView({k: convert(v) if isinstance(v, tuple) else v for k, v in self._values.items()})


@final
class ParamView:
    """Attribute access to parameter values of any type: what a right-hand side sees as ``p``."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)


def _restore(values: dict[str, Any]) -> Params:
    return Params(**values)


def _clean(name: str, value: Any) -> ParamValue:
    if isinstance(value, bool):
        raise AttnsError(f"parameter {name!r}: a bool is not a parameter value, got {value!r}")
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            raise AttnsError(f"parameter {name!r} must be finite, got {value!r}")
        return float(value)
    if isinstance(value, list | tuple | np.ndarray):
        array = np.asarray(value, dtype=np.float64)
        if array.ndim != 1 or not np.all(np.isfinite(array)):
            raise AttnsError(f"parameter {name!r} must be a flat list of finite numbers, got {value!r}")
        return tuple(float(v) for v in array)
    raise AttnsError(f"parameter {name!r} must be a number or a list of numbers, got {value!r}")
