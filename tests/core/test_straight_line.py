"""Straight-line statements: the same numbers as numba gives, and nothing else is accepted."""

import math
from textwrap import indent

import numpy as np
import pytest
from numba import njit

from attns_core.kernels.elementary import fma, sin64
from attns_core.kernels.straight_line import free_names, straight_line

STATEMENTS = """
a = w[0 * L + l] * 3.0 - -2.5
b = F(w[1 * L + l]) / scale if (a > 1.0) & (not flag) else abs(-a)
a = fma(a, b, -w[l])
c = math.sqrt(a * a + 1.0) if a != b else np.nan
c = c if c < np.inf else 0.0
w[2 * L + l] = sin64(np.float64(c)) + (a if l == 1 else b)
"""


def _globals(dtype):
    return {"F": dtype, "L": 3, "np": np, "math": math, "fma": fma, "sin64": sin64, "abs": abs}


def _loop(name, body):
    head = f'@njit(error_model="numpy")\ndef {name}(w, scale, flag):\n    for l in range(3):\n'
    return head + indent(body.strip(), " " * 8) + "\n\n\n"


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("flag", [False, True])
def test_statements_are_executed_as_numba_does(dtype, flag):
    function = straight_line("w, l, scale, flag", STATEMENTS, _globals(dtype))
    w = np.array([0.3, -7.0, 1e5, 1.5, 0.1, -2.0, 0.0, 0.0, 0.0], dtype=dtype)
    expected = w.copy()

    scope = _globals(dtype) | {"function": function, "njit": njit}
    exec(_loop("direct", "function(w, l, scale, flag)") + _loop("inferred", STATEMENTS), scope)
    scope["direct"](w, dtype(0.7), flag)
    scope["inferred"](expected, dtype(0.7), flag)
    np.testing.assert_array_equal(w, expected)
    assert np.all(w[6:] != 0)


def test_free_names_are_those_read_before_they_are_assigned():
    assert free_names(["a = w[l] + math.sin(b)", "b = a", "w[l] = f(a, b)"]) == ["w", "l", "b"]


@pytest.mark.parametrize(
    "statement", ["if l > 0:\n    w[l] = 1.0", "w[l] = w[l] ** 2.0", "w[l] = [1.0]", "w[l] += 1.0"]
)
def test_other_statements_are_refused(statement):
    function = straight_line("w, l", statement, _globals(np.float64))

    @njit
    def compiled(w):
        function(w, 0)

    with pytest.raises(TypeError, match="no straight-line statement"):
        compiled(np.zeros(3))
