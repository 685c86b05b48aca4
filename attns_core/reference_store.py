"""References on disk: one ``.npz`` each, named by content hash, checked when read.

A file appears whole or not at all (written aside, then renamed), so that processes may share a folder
without locks; at worst two make the same reference. A damaged file counts as absent.
"""

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from attns_core.reference import Reference

_ARRAYS = ("t", "u", "gap", "valid_time")


def load(folder: Path, key: str) -> Reference | None:
    """The stored reference, or None if there is none that passes its checksum."""
    try:
        with _path(folder, key).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _ARRAYS}
            metadata = json.loads(str(file["metadata"]))
        if metadata["key"] != key or metadata["sha256"] != _checksum(arrays):
            return None
        first, second = metadata["integrators"]
        return Reference(integrators=(first, second), seconds=float(metadata["seconds"]), **arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None


def save(folder: Path, key: str, reference: Reference) -> None:
    """Store a reference; an existing one is replaced in one step."""
    arrays = {name: getattr(reference, name) for name in _ARRAYS}
    metadata = {
        "key": key,
        "integrators": list(reference.integrators),
        "seconds": reference.seconds,
        "uncertainty": reference.uncertainty if np.isfinite(reference.uncertainty) else None,
        "sha256": _checksum(arrays),
    }
    path = _path(folder, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, metadata=np.array(json.dumps(metadata)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _path(folder: Path, key: str) -> Path:
    return folder / f"reference-{key}.npz"


def _checksum(arrays: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in _ARRAYS:
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.shape} {array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
