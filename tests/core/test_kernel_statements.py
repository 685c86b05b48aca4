"""Statements of kernels: the same numbers as numba gives, and nothing else is accepted."""

import math
from textwrap import indent

import numpy as np
import pytest
from numba import njit

from attns_core.kernels.elementary import fma, sin64
from attns_core.kernels.statements import free_names, statements

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
    function = statements("w, l, scale, flag", STATEMENTS, _globals(dtype))
    w = np.array([0.3, -7.0, 1e5, 1.5, 0.1, -2.0, 0.0, 0.0, 0.0], dtype=dtype)
    expected = w.copy()

    scope = _globals(dtype) | {"function": function, "njit": njit}
    exec(_loop("direct", "function(w, l, scale, flag)") + _loop("inferred", STATEMENTS), scope)
    scope["direct"](w, dtype(0.7), flag)
    scope["inferred"](expected, dtype(0.7), flag)
    np.testing.assert_array_equal(w, expected)
    assert np.all(w[6:] != 0)


def test_free_names_are_those_read_before_they_are_assigned():
    assert free_names("a = w[l] + math.sin(b)\nb = a\nw[l] = f(a, b)") == ["w", "l", "b"]


CONTROL = """
n = table.size
found = -1
total = F(0)
row = w[2 : 2 + n]
for i in range(n):
    if not allowed[i]:
        continue
    for j in range(1, n, 2):
        total += grid[i, j] * row[j - 1]
    if total > 3.0:
        found = i
        break
else_ = 0.0
if found < 0:
    else_ = 2.0 ** np.float64(total)
else:
    grid[found, 0] = total
    if found > 1:
        grid[found, 0] -= F(1)
rounds = 0
while True:
    rounds += 1
    half = total / F(2)
    if half < 0.25:
        break
    total = half
    table[0] += 1
w[0] = total
w[1] = else_ + rounds
"""


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("allowed", [[True, False, True, True], [False, True, False, False], [False] * 4])
def test_loops_and_branches_are_executed_as_python_does(dtype, allowed):
    scope = _globals(dtype) | {"njit": njit}
    names = "w, grid, table, allowed"
    scope["function"] = statements(names, CONTROL, scope)
    exec(f"@njit\ndef compiled({names}):\n    function({names})\n", scope)
    exec(f"def plain({names}):\n" + indent(CONTROL.strip(), "    "), scope)
    results = []
    for run in (scope["compiled"], scope["plain"]):
        w, grid, table = np.arange(8, dtype=dtype), np.arange(16, dtype=dtype).reshape(4, 4) / 8, np.zeros(4, dtype=int)
        # Neither contiguous nor whole, as a caller's array may be.
        run(w, grid[::-1], table, np.array(allowed))
        results.append((w, grid, table))
    for got, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_loops_around_loops_stay_loops():
    # Unrolled, thirty copies of the loop within are thousands of lines that take seconds to compile.
    text = "for d in range(28):\n    for l in range(n):\n        w[d * 32 + l] = grid[d, l]"
    function = statements("w, grid, n", text, {})

    @njit
    def compiled(w, grid, n):
        function(w, grid, n)

    w, grid = np.zeros(28 * 32), np.random.default_rng(0).normal(size=(28, 32))
    compiled(w, grid, 32)
    np.testing.assert_array_equal(w.reshape(28, 32), grid)
    (lines,) = compiled.inspect_llvm().values()
    assert lines.count("\n") < 1000


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("while l > 0:\n    w[l] = 1.0", "no statement of a kernel"),
        ("w[l] = [1.0]", "no statement of a kernel"),
        ("w[l] = 1 / l", "no statement of a kernel"),
        ("w[l] = 1.0 if l > 0 and l < 2 else 0.0", "no statement of a kernel"),
        ("abs(l)", "no statement of a kernel"),
        ("a = w[0:3:2]\nw[l] = a[1]", "no statement of a kernel"),
        ("a = 0\nif l > 0:\n    a = 1.5\nw[l] = a", "a is int64 and is assigned float64"),
    ],
)
def test_other_statements_are_refused(statement, message):
    function = statements("w, l", statement, _globals(np.float64))

    @njit
    def compiled(w):
        function(w, 0)

    with pytest.raises(TypeError, match=message):
        compiled(np.zeros(3))
