"""A user's trajectories in a matrix: found beside it, checked before anything starts, named by their contents."""

import hashlib
import shutil
from pathlib import Path, PurePath
from typing import final

from attns_core.equation import Equation
from attns_core.trajectories import Trajectories, read_trajectories
from attns_harness import artefacts
from attns_harness.specs import DataFile


@final
class TrainingData:
    """The files that a matrix trains on.

    Parameters
    ----------
    folder : Path
        Folder of the matrix file, which names are relative to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[tuple[str, str], tuple[DataFile, Trajectories]] = {}
        self._names: dict[DataFile, str] = {}

    def file(self, name: str, equation: Equation, steps: list[float], asked: list[int]) -> tuple[DataFile, list[int]]:
        """A file that serves an equation and these steps, and the sizes of training sets: all of it by default.

        Raises
        ------
        AttnsError
            The file is missing, unreadable or of another equation, a step is no multiple of the distance of
            its times, or it has fewer trajectories than asked for.
        """
        key = (name, equation.name)
        if key not in self._read:
            path = self._folder / name
            trajectories = read_trajectories(path, equation)
            data = DataFile(name=PurePath(name).name, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            self._names[data] = name
            self._read[key] = (data, trajectories)
        data, trajectories = self._read[key]
        for dt in steps:
            trajectories.stride(dt)
        for size in asked:
            trajectories.first(size)
        return data, asked or [trajectories.n]

    def place(self, run_dir: Path) -> dict[str, dict[str, str]]:
        """Copy the files among a run's artefacts, and beside its copy of the matrix.

        Returns
        -------
        dict
            Artefact id -> its files with their SHA-256.
        """
        placed: dict[str, dict[str, str]] = {}
        for data, name in self._names.items():
            root, source, files = run_dir / "artefacts", self._folder / name, {data.stored_name: data.sha256}
            try:
                artefacts.verify(root, data.artefact, files)
            except artefacts.DamagedArtefactError:
                artefacts.build(root, data.artefact, lambda f, s=source, d=data: shutil.copyfile(s, f / d.stored_name))
            placed[data.artefact] = files
            beside, inside = run_dir / name, not PurePath(name).is_absolute() and ".." not in PurePath(name).parts
            if inside and not beside.exists():
                beside.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, beside)
        return placed
