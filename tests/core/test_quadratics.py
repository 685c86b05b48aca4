"""Quadratic functions on vectors against their monomials, and blocks that hold what such functions open."""

from typing import Any

import numpy as np
import pytest
from attns_plugins.methods import METHODS
from numba import njit

from attns_core.backends import numba_blocks
from attns_core.backends.numba_blocks import block_length
from attns_core.fitting.monomials import monomial_values
from attns_core.fitting.skeleton import monomials
from attns_core.kernels.form import Form
from attns_core.kernels.quadratics import quadratic_tables, quadratics

METHOD: dict[str, Any] = {m.name: m for m in METHODS}


@pytest.mark.parametrize(
    ("dim", "count", "lanes", "dtype", "limit"),
    # As many functions side by side as there are, components that fill the last group and that do not, half a vector.
    [
        (4, 1, 8, "float64", 1e-14),
        (5, 2, 4, "float64", 1e-14),
        (3, 3, 6, "float64", 1e-14),
        (7, 9, 16, "float32", 1e-5),
    ],
)
def test_they_are_sums_over_monomials(dim: int, count: int, lanes: int, dtype: str, limit: float) -> None:
    rng = np.random.default_rng(0)
    exponents: Any = monomials(dim, 2)
    z = rng.standard_normal((dim, lanes))
    constant, linear, heads = (rng.standard_normal((*n, count)) for n in ((), (dim,), (len(exponents),)))
    lines, squares = (a.astype(dtype) for a in quadratic_tables(exponents, linear, heads))
    quadratic = quadratics(count=count, dim=dim, dtype=dtype, lanes=lanes, vector_bits=256)

    @njit
    def go(w, constant, linear, squares):
        return quadratic(w, 0, dim, constant, linear, squares)

    w = np.concatenate([z.ravel(), np.full(count * lanes, np.nan)]).astype(dtype)
    go(w, constant.astype(dtype), lines, squares)
    expected = constant[:, None] + linear.T @ z + heads.T @ monomial_values(z, exponents)
    np.testing.assert_allclose(w[dim * lanes :].reshape(count, lanes), expected, rtol=0, atol=10 * limit * dim)


def test_blocks_hold_the_weights_of_their_trajectories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba_blocks, "NEAREST_CACHE", 32 * 1024)
    form, method = Form(vector_bits=256), METHOD["dop853-twice"]

    def lanes(weights: int) -> int:
        return block_length(form, 16, method, None, whole=False, weights=weights)

    assert (lanes(0), lanes(300)) == (8, 4)
