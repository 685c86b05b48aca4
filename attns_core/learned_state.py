"""What a trained black box has learned, on disk: its attributes, as arrays and JSON.

Nothing foreign is unpickled: arrays are safetensors, everything else is JSON, and what is neither is
refused with its place.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from attns_core.black_box import BlackBoxSolver
from attns_core.errors import AttnsError
from attns_core.types import Array
from attns_core.weights import read_arrays, write_arrays


def save_learned(folder: Path | str, solver: BlackBoxSolver, metadata: Mapping[str, Any]) -> Path:
    """Write the attributes of a trained implementation into ``folder``, beside ``metadata``.

    Raises
    ------
    AttnsError
        An attribute is neither array, number, text, None nor list, tuple or dict of these.
    """
    arrays: dict[str, Array] = {}
    try:
        attributes = vars(solver.implementation)
    except TypeError:
        raise AttnsError(f"solver {solver.name!r}: what train() returned has no attributes to store") from None
    state = {name: _packed(value, name, arrays, solver.name) for name, value in attributes.items()}
    return write_arrays(folder, arrays, {**metadata, "solver": solver.name, "state": state})


def load_learned(folder: Path | str, solver: BlackBoxSolver) -> tuple[BlackBoxSolver, dict[str, Any]]:
    """The registered ``solver`` with the attributes that :func:`save_learned` wrote, and the metadata.

    Raises
    ------
    AttnsError
        A file is missing or altered, or belongs to another solver.
    """
    arrays, metadata = read_arrays(Path(folder))
    state = metadata.pop("state", None)
    if metadata.get("solver") != solver.name or not isinstance(state, dict):
        raise AttnsError(f"{folder}: weights of {metadata.get('solver')!r}, wanted those of solver {solver.name!r}")
    implementation = object.__new__(type(solver.implementation))
    implementation.__dict__.update({name: _unpacked(value, arrays) for name, value in state.items()})
    return replace(solver, implementation=implementation), metadata


def _packed(value: Any, place: str, arrays: dict[str, Array], solver: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return {"value": value}
    if isinstance(value, float):
        return {"value": value} if math.isfinite(value) else {"number": repr(value)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[place] = np.ascontiguousarray(value).reshape(value.shape)
        return {"array": place}
    if isinstance(value, list | tuple):
        items = [_packed(v, f"{place}[{i}]", arrays, solver) for i, v in enumerate(value)]
        return {"list" if isinstance(value, list) else "tuple": items}
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {"dict": {k: _packed(v, f"{place}.{k}", arrays, solver) for k, v in value.items()}}
    raise AttnsError(
        f"solver {solver!r}: train() left {place} = {type(value).__name__}; only arrays, numbers, text and lists, "
        "tuples or dicts of these are stored: keep the numbers and build the rest in prepare()"
    )


def _unpacked(stored: dict[str, Any], arrays: Mapping[str, Array]) -> Any:
    ((kind, content),) = stored.items()
    if kind == "array":
        return arrays[content]
    if kind in ("list", "tuple"):
        items = [_unpacked(v, arrays) for v in content]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {k: _unpacked(v, arrays) for k, v in content.items()}
    return float(content) if kind == "number" else content
