"""Artefacts on disk: references and weights, one folder each, verified by hash on use."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from attns_core.reference import Reference


class DamagedArtefactError(Exception):
    """A file of an artefact is missing or not what was stored."""


def folder_of(root: Path, artefact: str) -> Path:
    """Where an artefact lies; two levels keep folders small."""
    return root / artefact[:2] / artefact


def build(root: Path, artefact: str, write: Callable[[Path], object]) -> dict[str, str]:
    """Build an artefact beside its place and move it there whole; returns its files' SHA-256.

    A copy that exists already is replaced: it was damaged, or the same contents were built twice.
    """
    place = folder_of(root, artefact)
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".building-", dir=place.parent))
    try:
        write(scratch)
        for path in scratch.rglob("*"):
            if path.is_file():
                _sync(path)
        if place.exists():
            shutil.rmtree(place)
        os.rename(scratch, place)
        _sync(place.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return hashes(place)


def hashes(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file in a folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def verify(root: Path, artefact: str, files: Mapping[str, str]) -> Path:
    """The artefact's folder, after checking every file.

    Raises
    ------
    DamagedArtefactError
        Naming the first file that is missing or differs.
    """
    folder = folder_of(root, artefact)
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise DamagedArtefactError(f"{path} is missing")
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise DamagedArtefactError(f"{path} is not the file that was stored (SHA-256 differs)")
    return folder


def receive(root: Path, artefact: str, blobs: Mapping[str, bytes]) -> None:
    """Write an artefact that travelled as bytes, in place of a copy that is there already."""

    def write(folder: Path) -> None:
        for name, data in blobs.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)

    build(root, artefact, write)


def contents(root: Path, artefact: str) -> dict[str, bytes]:
    """An artefact's files as bytes, to travel."""
    folder = folder_of(root, artefact)
    return {name: (folder / name).read_bytes() for name in hashes(folder)}


def write_reference(folder: Path, reference: Reference) -> None:
    """Store a reference without pickling."""
    np.savez(
        folder / "reference.npz",
        t=reference.t,
        u=reference.u,
        gap=reference.gap,
        valid_time=reference.valid_time,
        integrators=np.array(reference.integrators),
        seconds=np.array(reference.seconds),
    )


def read_reference(folder: Path) -> Reference:
    with np.load(folder / "reference.npz", allow_pickle=False) as data:
        first, second = (str(name) for name in data["integrators"])
        return Reference(
            t=data["t"],
            u=data["u"],
            gap=data["gap"],
            valid_time=data["valid_time"],
            integrators=(first, second),
            seconds=float(data["seconds"]),
        )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
