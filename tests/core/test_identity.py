"""Identities: what decides an outcome changes the hash, what does not leaves it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from attns_core.identity import canonical, content_hash, source_hash

SOURCE = """
from math import pi
import helper_module as helper

FACTOR = {factor}

def double(x):
    return {double}

def rhs(t, u, p, m):
    return [FACTOR * double(x) + helper.shift(x) for x in u]
"""


def module(tmp_path: Path, name: str, text: str) -> ModuleType:
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    found = ModuleType(name)
    exec(compile(text, str(path), "exec"), found.__dict__)
    return found


def hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, shift: str = "x", **parts: str) -> str:
    parts = {"factor": "2.0", "double": "2 * x", **parts}
    # One package, as a plugin with two modules is.
    helper = module(tmp_path, "helper_module", f"def shift(x):\n    return {shift}\n")
    monkeypatch.setitem(sys.modules, "helper_module", helper)
    made = module(tmp_path, "plugin", SOURCE.format(**parts))
    for function in (made.rhs, made.double, helper.shift):
        function.__module__ = "plugin"
    return source_hash(made.rhs)


def test_helpers_and_constants_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hashed(tmp_path, monkeypatch)
    assert hashed(tmp_path, monkeypatch) == first
    for change in ({"factor": "3.0"}, {"double": "x + x + 1"}, {"shift": "x + 1"}):
        assert hashed(tmp_path, monkeypatch, **change) != first, change


def test_closed_over_values_count() -> None:
    def scaled(factor: float) -> Callable[..., Any]:
        return lambda t, u, p, m: [factor * x for x in u]

    assert source_hash(scaled(2.0)) == source_hash(scaled(2.0))
    assert source_hash(scaled(2.0)) != source_hash(scaled(3.0))


def test_recursive_functions_end() -> None:
    def power(x: float, n: int) -> float:
        return 1.0 if n == 0 else x * power(x, n - 1)

    assert len(source_hash(power)) == 16


def test_hash_is_the_same_in_another_process() -> None:
    code = (
        "from attns_core import build_registry\n"
        "for e in build_registry(only=['equations']).all('equation'):\n"
        "    print(e.name, e.identity()['rhs'])"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in "ab"
    )
    assert first == second
    hashes = [line.split()[1] for line in first.splitlines()]
    assert len(set(hashes)) == len(hashes) > 20


def test_equal_meanings_become_equal_texts() -> None:
    assert canonical(np.float64(0.5)) == canonical(0.5)
    assert content_hash({"b": 1, "a": (1, 2)}) == content_hash({"a": [1, 2], "b": np.int64(1)})
    assert content_hash(np.zeros(3)) != content_hash(np.zeros(4))
    assert content_hash({1.0, 2.0}) == content_hash({2.0, 1.0})
    with pytest.raises(TypeError, match="no identity is defined for object"):
        canonical(object())
