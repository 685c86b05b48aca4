"""Content hashes: what decides an outcome, reduced to one short name for it."""

import hashlib
import inspect
import json
import math
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np


def canonical(value: Any) -> Any:
    """Reduce ``value`` to JSON types such that equal meanings become equal texts.

    Floats keep their shortest round-trip representation; arrays become the hash of their bytes,
    shape and dtype; tuples become lists.

    Raises
    ------
    TypeError
        For a type whose identity is not defined here (never silently ``repr``-ed).
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else repr(number)
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"array": digest, "shape": list(value.shape), "dtype": str(value.dtype)}
    if isinstance(value, Mapping):
        return {str(k): canonical(v) for k, v in sorted(value.items(), key=lambda kv: str(kv[0]))}
    if isinstance(value, list | tuple):
        return [canonical(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted((canonical(v) for v in value), key=repr)
    raise TypeError(f"no identity is defined for {type(value).__name__}: {value!r}")


def content_hash(value: Any, length: int = 16) -> str:
    """Hexadecimal SHA-256 of the canonical form of ``value``, cut to ``length`` characters."""
    text = json.dumps(canonical(value), sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def source_hash(function: Callable[..., Any]) -> str:
    """Hash of a function's source, and of what its result depends on within its own package.

    Covered are the functions and constants that it names (helpers of its module, or of a module next to
    it), and the values it has closed over; byte code stands in where there is no source file.
    """
    found: list[str] = []
    _collect(function, found, set())
    return hashlib.sha256("\0".join(found).encode()).hexdigest()[:16]


def _collect(function: Callable[..., Any], found: list[str], visited: set[Any]) -> None:
    """Append the source of ``function`` and of everything of its package that it uses, depth first."""
    visited.add(function)
    found.append(_source(function))
    code = getattr(function, "__code__", None)
    if code is None:
        return
    names = sorted(_names(code))
    values = [function.__globals__[n] for n in names if n in function.__globals__]
    values += [getattr(v, n) for v in values if isinstance(v, ModuleType) for n in names if hasattr(v, n)]
    values += [cell.cell_contents for cell in function.__closure__ or ()]
    package = function.__module__.partition(".")[0]
    for value in values:
        if isinstance(value, FunctionType):
            if value not in visited and value.__module__.partition(".")[0] == package:
                _collect(value, found, visited)
        elif isinstance(value, int | float | str | tuple | list):
            found.append(repr(value))


def _names(code: CodeType) -> set[str]:
    """Global and attribute names that a code object and those inside it use."""
    inner = (_names(c) for c in code.co_consts if isinstance(c, CodeType))
    return set(code.co_names).union(*inner)


def _source(function: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        return _byte_code(code) if code else repr(function)


def _byte_code(code: CodeType) -> str:
    # Code objects within the constants print their address, which changes from process to process.
    constants = [_byte_code(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return f"{code.co_code!r} {constants}"
