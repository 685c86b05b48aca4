"""Vectorised elementary functions against mpmath: at most 4 units in the last place, IEEE special values."""

from typing import Any

import mpmath
import numpy as np
import pytest
from numba import njit

from attns_core.kernels import elementary

LIMIT = 4.0
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, 1000.0, -1000.0]


def evaluate(name: str, x: Any) -> Any:
    function = getattr(elementary, name + str(8 * x.dtype.itemsize))

    @njit(error_model="numpy")
    def loop(x, y):
        for i in range(x.size):
            y[i] = function(x[i])

    y = np.empty_like(x)
    loop(x, y)
    return y


def arguments(name: str, dtype: Any) -> Any:
    rng = np.random.default_rng(0)
    single = dtype == np.float32
    tiny, huge = (1e-37, 1e38) if single else (1e-307, 1e308)

    def logarithmic(low: float, high: float) -> Any:
        return np.exp(rng.uniform(np.log(low), np.log(high), 600))

    match name:
        case "sin" | "cos" | "tan":
            limit = elementary.SIN_LIMIT[np.dtype(dtype).name]
            # Multiples of pi/2 cancel most digits of the argument.
            near = rng.integers(1, int(0.6 * limit), 600) * (np.pi / 2)
            x = np.concatenate([rng.uniform(-10, 10, 600), logarithmic(tiny, limit), -near, [limit]])
        case "exp":
            top = 88.7 if single else 709.7
            x = np.concatenate([rng.uniform(-1, 1, 600), rng.uniform(-1.1 * top, top, 600)])
        case "log":
            # Subnormal numbers too.
            x = np.concatenate([rng.uniform(0.5, 2, 600), logarithmic(tiny, huge), [1e-45 if single else 5e-324]])
        case _:
            x = np.concatenate([rng.uniform(-25, 25, 600), -logarithmic(tiny, 1.0)])
    return x.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", elementary.FAST)
def test_accuracy(name: str, dtype: Any) -> None:
    x = arguments(name, dtype)
    worst = 0.0
    with mpmath.workprec(300):
        for argument, value in zip(x, evaluate(name, x), strict=True):
            exact = getattr(mpmath, name)(mpmath.mpf(float(argument)))
            rounded = dtype(float(exact))
            unit = float(np.spacing(np.abs(rounded)))
            worst = max(worst, float(abs(mpmath.mpf(float(value)) - exact) / unit))
    assert worst <= LIMIT


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", elementary.FAST)
def test_special_values(name: str, dtype: Any) -> None:
    x = np.array(SPECIAL, dtype=dtype)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x)
    got = evaluate(name, x)
    exceptional = ~np.isfinite(expected)
    assert np.array_equal(got[exceptional], expected[exceptional], equal_nan=True)
    np.testing.assert_allclose(got[~exceptional], expected[~exceptional], rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_beyond_the_fast_range_the_answer_is_nan_never_wrong(name: str, dtype: Any) -> None:
    x = np.array([1.01, 1e3, 1e20], dtype=dtype) * dtype(elementary.SIN_LIMIT[np.dtype(dtype).name])
    assert np.isnan(evaluate(name, x)).all()


def test_activation_sine_is_exact_absolutely() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-20, 20, 500), rng.uniform(-1e12, 1e12, 500)])

    @njit(error_model="numpy")
    def loop(x, y):
        for i in range(x.size):
            y[i] = elementary.wave64(x[i])

    y = np.empty_like(x)
    loop(x, y)
    with mpmath.workprec(300):
        worst = max(abs(mpmath.sin(mpmath.mpf(float(a))) - mpmath.mpf(float(b))) for a, b in zip(x, y, strict=True))
    assert worst < 3e-16
