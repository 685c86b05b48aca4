"""The hidden layers on vectors against their formula."""

from typing import Any

import mpmath
import numpy as np
import pytest
from numba import njit

from attns_core.correction import activate
from attns_core.kernels.tiled_layer import UNITS, tiled_layer
from attns_core.trained_corrector import Layer

LANES = 32
SHAPE = [[1.1915], [1.5957], [0.5], [0.0218], [2.383], [0.0], [1.0]]


def evaluate(
    x: Any, weights: Any, heads: Any, constant: Any, linear: Any, *, bits: int, activation: str, fastmath: bool = False
) -> Any:
    """``constant + linear.T @ x + heads.T @ activation(weights @ (x, 1))`` for ``x`` of shape (n_in, lanes)."""
    (n_in, lanes), n_out = x.shape, heads.shape[1]
    hidden = tiled_layer(
        n_in=n_in,
        n_out=n_out,
        n_linear=n_in,
        activation=activation,
        dtype=x.dtype.name,
        lanes=lanes,
        vector_bits=bits,
        fastmath=fastmath,
    )

    @njit(fastmath={"contract", "reassoc", "arcp", "nsz", "afn"} if fastmath else False)
    def go(w, weights, heads, constant, linear, shape):
        hidden(w, 0, n_in, w, 0, constant, linear, weights, heads, shape)

    w = np.concatenate([x.ravel(), np.zeros(n_out * lanes, x.dtype)])
    go(w, weights, heads, constant, linear, np.array(SHAPE, x.dtype))
    return w[n_in * lanes :].reshape(n_out, lanes)


@pytest.mark.parametrize(("dtype", "limit"), [("float64", 3e-16), ("float32", 2e-7)])
@pytest.mark.parametrize("fastmath", [False, True])
def test_sine_of_half_turns(fastmath: bool, dtype: str, limit: float) -> None:
    x = np.concatenate([np.linspace(-1.5, 1.5, LANES - 4), [1e4, -1e4 + 0.25, 0.5, -0.5]]).astype(dtype)[None]
    weights, heads = np.zeros((UNITS, 2), dtype), np.zeros((UNITS, 1), dtype)
    weights[0, 0] = heads[0, 0] = 1
    got = evaluate(
        x, weights, heads, np.zeros(1, dtype), np.zeros((1, 1), dtype), bits=256, activation="sine",
        fastmath=fastmath,
    )  # fmt: skip
    expected = np.array([float(mpmath.sinpi(mpmath.mpf(float(value)))) for value in x[0]])
    assert np.abs(got[0] - expected).max() <= limit


def test_sums_do_not_depend_on_the_width_of_vectors() -> None:
    rng = np.random.default_rng(0)
    x, weights, heads = rng.normal(size=(3, LANES)), rng.normal(size=(8, 4)), rng.normal(size=(8, 5))
    constant, linear = rng.normal(size=5), rng.normal(size=(3, 5))
    given = (x, weights, heads, constant, linear)
    narrow, wide = (evaluate(*given, bits=bits, activation="identity") for bits in (64, 512))
    assert np.array_equal(narrow, wide)
    expected = constant[:, None] + linear.T @ x + heads.T @ (weights[:, :3] @ x + weights[:, 3:])
    np.testing.assert_allclose(wide, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ["quintic", "relu"])
def test_units_of_arithmetic_alone(activation: Any, dtype: str) -> None:
    x = np.linspace(-3, 3, LANES).astype(dtype)[None]
    weights, heads = np.zeros((UNITS, 2), dtype), np.zeros((UNITS, 1), dtype)
    weights[0, 0] = heads[0, 0] = 1
    nothing = np.zeros((1, 1), dtype)
    got = evaluate(x, weights, heads, nothing[0], nothing, bits=256, activation=activation)
    layer = Layer(weight=np.ones((1, 1)), bias=np.zeros(1), activation=activation, shape=np.empty(0))
    limit = 1e-5 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(got, activate(x.astype(float), layer), rtol=limit, atol=limit)


@pytest.mark.parametrize(("dtype", "limit"), [("float64", 1e-13), ("float32", 2e-5)])
@pytest.mark.parametrize(("activation", "fastmath"), [("rational", False), ("rational", True), ("relu", False)])
def test_tiles_of_any_shape(activation: Any, fastmath: bool, dtype: str, limit: float) -> None:
    # Units, sums and lanes that leave tiles and groups incomplete.
    rng = np.random.default_rng(0)
    n_in, n_out, width = 17, 13, 288 + 3 * UNITS
    for lanes, bits in ((48, 512), (32, 256), (8, 512), (7, 128)):
        x, weights, heads, constant, linear = (
            rng.normal(size=shape).astype(dtype)
            for shape in ((n_in, lanes), (width, n_in + 1), (width, n_out), n_out, (n_in, n_out))
        )
        got = evaluate(x, weights, heads, constant, linear, bits=bits, activation=activation, fastmath=fastmath)
        hidden = Layer(weight=weights[:, :-1], bias=weights[:, -1], activation=activation, shape=np.array(SHAPE)[:, 0])
        units = activate(weights[:, :-1].astype(float) @ x + weights[:, -1:], hidden)
        expected = constant[:, None] + linear.T @ x.astype(float) + heads.T @ units
        assert np.abs(got - expected).max() <= limit * np.abs(expected).max()


def test_tiles_do_not_depend_on_the_block() -> None:
    rng = np.random.default_rng(0)
    given = [rng.normal(size=shape) for shape in ((20, 48), (200, 21), (200, 20), 20, (20, 20))]
    whole = evaluate(*given, bits=512, activation="rational")
    part = evaluate(given[0][:, :8].copy(), *given[1:], bits=256, activation="rational")
    assert np.array_equal(whole[:, :8], part)
