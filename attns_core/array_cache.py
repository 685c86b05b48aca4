"""A folder of named arrays by content hash: verified when read, written in one piece."""

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_CHECK = "sha256"


def cached_arrays(folder: Path, name: str, build: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The arrays stored under ``name``, built and stored if absent, damaged or altered.

    Safe with parallel processes: a file appears whole or not at all, and what is read is held
    against the checksum stored with it. Nothing is ever unpickled.
    """
    path = folder / f"{name}.npz"
    found = _read(path)
    if found is not None:
        return found
    arrays = build()
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{name}-", suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as file:
            named: dict[str, Any] = {**arrays, _CHECK: np.array(_digest(arrays))}
            np.savez(file, **named)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return arrays


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None
    check = arrays.pop(_CHECK, None)
    return arrays if check is not None and str(check) == _digest(arrays) else None


def _digest(arrays: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for key in sorted(arrays):
        array = np.ascontiguousarray(arrays[key])
        digest.update(f"{key}:{array.dtype}:{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
