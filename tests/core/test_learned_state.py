"""What a black box learned is stored as arrays and JSON, comes back whole, and nothing else is taken."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from attns_core import Adaptive, AttnsError, BlackBoxSolver, Problem, black_box, build_registry
from attns_core.learned_state import load_learned, save_learned


@black_box(name="memory")
class Memory:
    """Learns nothing but what the test tells it to."""

    lesson: ClassVar[dict[str, Any]] = {}

    def train(self, problem: Any, control: Any, *, seed: int) -> Any:
        learned = type(self)()
        learned.__dict__.update(Memory.implementation.lesson)
        return learned

    def solve(self, problem: Any, control: Any) -> Any:
        return np.repeat(problem.u0[None], problem.t_save.size, axis=0)


STATE = {
    "layers": [(np.arange(6.0).reshape(2, 3), np.float32([1, 2])), (np.eye(2)[:, ::-1], np.array([True, False]))],
    "scale": np.array(2.5),
    "options": {"width": 4, "name": "tanh", "none": None, "flag": True, "limits": [float("-inf"), 0.1]},
    "rate": np.float64(0.25),
}


def trained(monkeypatch: pytest.MonkeyPatch, state: dict[str, Any]) -> BlackBoxSolver:
    monkeypatch.setattr(type(Memory.implementation), "lesson", state)
    problem = Problem.sample(build_registry(only=["equations"]).equation("lorenz-63"), n=1)
    return Memory.train(problem, Adaptive(rtol=1e-3, atol=1e-3), seed=0)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def test_nested_attributes_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_learned(tmp_path, trained(monkeypatch, STATE), {"train_seconds": 1.5})
    loaded, metadata = load_learned(tmp_path, Memory)
    assert same(vars(loaded.implementation), STATE)
    assert metadata["train_seconds"] == 1.5
    assert vars(Memory.implementation) == {}
    assert loaded.name == "memory"
    json.loads((tmp_path / "metadata.json").read_text(), parse_constant=lambda c: pytest.fail(f"{c} is not JSON"))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda: 0, "left net = function; only arrays, numbers, text"),
        ([1, {"a": object()}], r"left net\[1\].a = object"),
        (np.array([object()]), "left net = ndarray"),
        ({1: 2.0}, "left net = dict"),
    ],
)
def test_what_is_neither_array_nor_json_is_refused_with_its_place(
    value: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AttnsError, match=words):
        save_learned(tmp_path, trained(monkeypatch, {"net": value}), {})
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_solver_or_altered_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    solver = trained(monkeypatch, STATE)
    save_learned(tmp_path, solver, {})
    other = black_box(name="other")(type(Memory.implementation))
    with pytest.raises(AttnsError, match="weights of 'memory', wanted those of solver 'other'"):
        load_learned(tmp_path, other)
    file = tmp_path / "metadata.json"
    file.write_text(file.read_text().replace('"tanh"', '"sine"'))
    with pytest.raises(AttnsError, match="do not match their hash"):
        load_learned(tmp_path, Memory)


def test_train_must_return_something_new_of_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem.sample(build_registry(only=["equations"]).equation("lorenz-63"), n=1)
    kind = type(Memory.implementation)
    for wrong, words in ((lambda self, *_, seed: self, "got itself"), (lambda self, *_, seed: None, "got NoneType")):
        monkeypatch.setattr(kind, "train", wrong)
        with pytest.raises(AttnsError, match=f"must return a new Memory that has learned, {words}"):
            Memory.train(problem, Adaptive(rtol=1e-3, atol=1e-3))
