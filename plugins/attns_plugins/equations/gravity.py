"""Newtonian attraction of a few bodies, one sequence of coordinates per axis."""

from collections.abc import Sequence
from typing import Any


def accelerations(axes: Sequence[Any], mass: Any, m: Any) -> list[list[Any]]:
    """Acceleration of each body along each axis, without the gravitational constant.

    Every pair is visited once: its two forces share their distance.
    """
    n = len(mass)
    total: list[list[Any]] = [[0.0] * n for _ in axes]
    for i in range(n):
        for j in range(i):
            apart = [axis[j] - axis[i] for axis in axes]
            squared = sum(d**2 for d in apart)
            inverse_cube = 1.0 / (squared * m.sqrt(squared))
            for sums, d in zip(total, apart, strict=True):
                pull = d * inverse_cube
                sums[i], sums[j] = sums[i] + mass[j] * pull, sums[j] - mass[i] * pull
    return total


def array_accelerations(axes: Sequence[Any], mass: Any, xp: Any) -> list[Any]:
    """The same on arrays ``(bodies, n)``: every pair twice, in a few operations on all of them."""
    apart = [axis[None] - axis[:, None] for axis in axes]
    squared = sum(d**2 for d in apart)
    # A body meets itself at distance zero: any finite factor yields no force there.
    safe = xp.where(squared == 0, xp.ones_like(squared), squared)
    pull = mass[None, :, None] / (safe * xp.sqrt(safe))
    return [(pull * d).sum(1) for d in apart]


def potential(axes: Sequence[Any], mass: Any, m: Any) -> Any:
    """Potential energy, without the gravitational constant."""
    pairs = ((i, j) for i in range(len(mass)) for j in range(i))
    return -sum(mass[i] * mass[j] / m.sqrt(sum((axis[j] - axis[i]) ** 2 for axis in axes)) for i, j in pairs)


def kinetic(velocities: Sequence[Any], mass: Any) -> Any:
    """Kinetic energy from one sequence of velocities per axis."""
    return sum(mass[i] * v[i] ** 2 / 2.0 for v in velocities for i in range(len(mass)))
