r"""Order conditions of Runge-Kutta methods, from rooted trees.

A method has order ``p`` exactly if, for every rooted tree ``t`` with at most ``p`` vertices,

.. math::

    \sum_i b_i \Phi_i(t) = \frac{1}{\gamma(t)}, \qquad
    \Phi_i([t_1, \dots, t_m]) = \prod_k \sum_j a_{ij} \Phi_j(t_k),

where ``gamma`` is the density of the tree (Hairer, Norsett, Wanner, Solving Ordinary Differential
Equations I, theorem II.2.13). There are 1, 1, 2, 4, 9, 20, 48, 115, 286 trees of orders 1 to 9.

For Rosenbrock methods the same holds with ``beta_ij = alpha_ij + gamma_ij`` in place of ``a_ij`` where a
vertex has a single child (Hairer, Wanner, Solving Ordinary Differential Equations II, theorem IV.7.6).
"""

from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

Tree: TypeAlias = tuple[Any, ...]
"""A rooted tree is the sorted tuple of the subtrees at its root; ``()`` is the single vertex."""


@lru_cache(maxsize=16)
def rooted_trees(order: int) -> tuple[Tree, ...]:
    """All rooted trees with ``order`` vertices."""
    return tuple(sorted(_forests(order - 1, order - 1)))


@lru_cache(maxsize=256)
def _forests(vertices: int, largest: int) -> tuple[Tree, ...]:
    """Multisets of trees of at most ``largest`` vertices each, ``vertices`` in all, as sorted tuples."""
    if vertices == 0:
        return ((),)
    found: set[Tree] = set()
    for size in range(1, min(vertices, largest) + 1):
        for tree in rooted_trees(size):
            for rest in _forests(vertices - size, size):
                found.add(tuple(sorted((tree, *rest))))
    return tuple(found)


@lru_cache(maxsize=1024)
def vertices(tree: Tree) -> int:
    """Number of vertices."""
    return 1 + sum(vertices(child) for child in tree)


@lru_cache(maxsize=1024)
def density(tree: Tree) -> int:
    """``gamma(t)``: the product of the sizes of all subtrees."""
    product = vertices(tree)
    for child in tree:
        product *= density(child)
    return product


def residuals(a: Any, b: Any, order: int, single: Any = None) -> dict[Tree, Any]:
    """Residual ``sum_i b_i Phi_i(t) - 1/gamma(t)`` of every condition up to ``order``.

    Parameters
    ----------
    a : sequence of rows, shape (s, s)
    b : sequence, shape (s,)
        Floats, or fractions for exact residuals.
    single : sequence of rows, shape (s, s), optional
        Takes the place of ``a`` at vertices with a single child (Rosenbrock methods).
    """
    exact = isinstance(b[0], Fraction)
    matrix = np.array(a, dtype=object if exact else np.float64)
    alone = matrix if single is None else np.array(single, dtype=matrix.dtype)
    weights = np.array(b, dtype=matrix.dtype)
    one = np.full(len(weights), Fraction(1) if exact else 1.0, dtype=matrix.dtype)
    inner: dict[Tree, Any] = {}

    def phi(tree: Tree) -> Any:
        if len(tree) == 1:
            return alone @ phi(tree[0])
        value = one
        for child in tree:
            if child not in inner:
                inner[child] = matrix @ phi(child)
            value = value * inner[child]
        return value

    result: dict[Tree, Any] = {}
    for p in range(1, order + 1):
        for tree in rooted_trees(p):
            target = Fraction(1, density(tree)) if exact else 1.0 / density(tree)
            result[tree] = weights @ phi(tree) - target
    return result


def first_violated(a: Any, b: Any, order: int, tolerance: float, single: Any = None) -> tuple[Tree, float] | None:
    """The first condition up to ``order`` whose residual exceeds ``tolerance``, or None.

    The tolerance is relative to the size of the terms that cancel in the condition.
    """
    sizes = [None if v is None else np.abs(np.array(v, dtype=np.float64)) for v in (a, b, single)]
    bounds = residuals(sizes[0], sizes[1], order, sizes[2])
    for tree, residual in residuals(a, b, order, single).items():
        size = max(1.0, bounds[tree] + 1.0)
        if not abs(float(residual)) <= tolerance * size:
            return tree, float(residual)
    return None


def order_of(a: Any, b: Any, *, highest: int = 8, tolerance: float = 1e-13) -> int:
    """The order that the coefficients attain, at most ``highest``."""
    violated = first_violated(a, b, highest, tolerance)
    return highest if violated is None else vertices(violated[0]) - 1
