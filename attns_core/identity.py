"""Content hashes: what decides an outcome, reduced to one short name for it."""

import hashlib
import inspect
import json
import math
from collections.abc import Callable, Mapping
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
    """Hash of a function's source text, or of its byte code where there is no source file."""
    try:
        text = inspect.getsource(function).encode()
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        text = code.co_code + repr(code.co_consts).encode() if code else repr(function).encode()
    return hashlib.sha256(text).hexdigest()[:16]
