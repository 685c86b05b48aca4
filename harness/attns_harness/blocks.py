"""A part of a matrix, by the names of its blocks."""

import fnmatch
from collections.abc import Sequence

from attns_core.errors import AttnsError, UnknownNameError
from attns_harness.matrix import Block, Matrix


def blocks_named(matrix: Matrix, wanted: Sequence[str]) -> list[Block]:
    """The blocks that are named, or that a pattern such as ``"8-link*"`` covers, in the order of the matrix.

    Raises
    ------
    AttnsError
        A name or a pattern that fits no block.
    """
    for pattern in wanted:
        if not any(fnmatch.fnmatchcase(block.name, pattern) for block in matrix.block):
            names = [block.name for block in matrix.block if block.name]
            if not names:
                raise AttnsError(f"block {pattern!r}: no block of matrix {matrix.name!r} has a name")
            raise UnknownNameError("block", pattern, names)
    return [b for b in matrix.block if any(fnmatch.fnmatchcase(b.name, pattern) for pattern in wanted)]
