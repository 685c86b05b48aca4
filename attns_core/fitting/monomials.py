"""Monomials and their derivatives by shared products: each is a lower one times one input."""

from typing import Any

import numpy as np

from attns_core.types import Array


class _Table:
    """Values of monomials of ``z`` (n_in, n), each computed once from one a degree lower."""

    def __init__(self, z: Array) -> None:
        self.z = z
        n_in = z.shape[0]
        self.known: dict[tuple[int, ...], Array] = {(0,) * n_in: np.ones_like(z[0])}

    def __call__(self, exponents: tuple[int, ...]) -> Array:
        found = self.known.get(exponents)
        if found is None:
            j = next(i for i, e in enumerate(exponents) if e)
            found = self(_lowered(exponents, j)) * self.z[j]
            self.known[exponents] = found
        return found


def monomial_values(z: Array, exponents: Any) -> Array:
    """Monomials ``prod_j z_j^e_j`` of inputs ``(n_in, n)``, shape (n_monomials, n)."""
    table = _Table(z)
    return np.stack([table(tuple(int(v) for v in e)) for e in exponents])


def monomial_slopes(z: Array, exponents: Any) -> Array:
    """Derivatives of the monomials by every input, shape (n_monomials, n_in, n)."""
    table = _Table(z)
    out = np.zeros((len(exponents), *z.shape))
    for i, row in enumerate(exponents):
        e = tuple(int(v) for v in row)
        for j in range(len(e)):
            if e[j]:
                out[i, j] = e[j] * table(_lowered(e, j))
    return out


def _lowered(exponents: tuple[int, ...], j: int) -> tuple[int, ...]:
    return (*exponents[:j], exponents[j] - 1, *exponents[j + 1 :])
