"""``--quick``: a rehearsal of a study, small enough to wait for."""

import fnmatch
from typing import Any

from attns_core.errors import AttnsError
from attns_harness.blocks import blocks_named
from attns_harness.matrix import Block, Matrix, Quick, is_pattern
from attns_harness.matrix_file import MatrixFile

_AXES = ("methods", "solvers", "train_trajectories", "noise", "seeds")


def quick(file: MatrixFile) -> MatrixFile:
    """The part of a matrix that its ``[quick]`` table keeps, under the name ``NAME-quick``.

    A block keeps, on every axis that ``[quick]`` names, the values it shares with it; a block left
    without values on such an axis is dropped.

    Raises
    ------
    AttnsError
        The matrix has no ``[quick]`` table, it names a block that the matrix does not have, or nothing is left.
    """
    kept = file.matrix.quick
    if kept is None:
        raise AttnsError(f"{file.path}: --quick needs a table [quick], e.g. [quick] seeds = [0]")
    try:
        named = blocks_named(file.matrix, kept.blocks) if kept.blocks else file.matrix.block
    except AttnsError as error:
        raise AttnsError(f"{file.path}: [quick] blocks: {error}") from error
    blocks = [b for b in (_reduced(block, kept) for block in named) if b is not None]
    if not blocks:
        raise AttnsError(f"{file.path}: nothing is left of the matrix with its table [quick]")
    matrix: Matrix = file.matrix.model_copy(update={"name": f"{file.matrix.name}-quick", "block": blocks})
    return MatrixFile(matrix, file.text, file.path)


def _reduced(block: Block, kept: Quick) -> Block | None:
    changes: dict[str, object] = {}
    for axis in _AXES:
        wanted, given = getattr(kept, axis), getattr(block, axis)
        if not wanted or not given:
            continue
        shared = _shared(given, wanted)
        if not shared:
            return None
        changes[axis] = shared
    if kept.n_trajectories is not None:
        fewer = kept.n_trajectories
        changes["n_trajectories"] = min(block.n_trajectories, fewer)
        changes["equations"] = [
            e.model_copy(update={"n_trajectories": e.n_trajectories and min(e.n_trajectories, fewer)})
            for e in block.equations
        ]
    return block.model_copy(update=changes)


def _shared(given: list[Any], wanted: list[Any]) -> list[Any]:
    """Values on both sides; a pattern in the block covers the names that ``[quick]`` keeps of it."""
    patterns = [v for v in given if isinstance(v, str) and is_pattern(v)]
    covered = [v for v in wanted if v not in given and any(fnmatch.fnmatchcase(str(v), p) for p in patterns)]
    return [v for v in given if v in wanted] + covered
