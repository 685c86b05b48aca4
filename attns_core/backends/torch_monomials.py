"""Monomials of tensors, one product each."""

from typing import Any

import torch
from torch import Tensor


class Monomials:
    """Monomials by repeated products: every one is a lower one times one input.

    ``z**e`` would cost a power per input and has no gradient at 0 for some backends; this is one
    gather and one product per degree.

    Parameters
    ----------
    exponents : array_like of int, shape (n_monomials, n_in)
    device : torch.device
    """

    def __init__(self, exponents: Any, device: torch.device) -> None:
        wanted = [tuple(int(e) for e in row) for row in exponents]
        every: set[tuple[int, ...]] = set()
        for row in wanted:
            while row not in every:
                every.add(row)
                row = _parent(row)[0]
        levels: dict[int, list[tuple[int, ...]]] = {}
        for row in sorted(every, reverse=True):
            levels.setdefault(sum(row), []).append(row)
        position = {row: i for d in sorted(levels) for i, row in enumerate(levels[d])}
        start, offset = {}, 0
        for d in sorted(levels):
            start[d] = offset
            offset += len(levels[d])

        def index(values: list[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.int64, device=device)

        # Degree d from degree d - 1: which lower monomial, and which input it is multiplied by.
        self.steps: list[tuple[Tensor, Tensor]] = []
        for d in sorted(levels):
            if d > 0:
                parents = [_parent(row) for row in levels[d]]
                self.steps.append((index([position[p] for p, _ in parents]), index([i for _, i in parents])))
        self.order = index([start[sum(row)] + position[row] for row in wanted])

    def __call__(self, z: Tensor) -> Tensor:
        """Monomials ``(n_monomials, n)`` of inputs ``(n_in, n)``."""
        level = torch.ones_like(z[:1])
        found = [level]
        for lower, factor in self.steps:
            level = level[lower] * z[factor]
            found.append(level)
        return torch.cat(found)[self.order]


def _parent(row: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """The monomial with the first positive exponent lowered by one, and the input it belongs to."""
    for i, e in enumerate(row):
        if e > 0:
            return (*row[:i], e - 1, *row[i + 1 :]), i
    return row, 0
