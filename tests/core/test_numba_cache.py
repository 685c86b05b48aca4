"""The kernel cache speeds up and never breaks: damaged, read-only, full, shared by processes."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from attns_core.kernels import cache
from attns_core.kernels.cache import cache_report, load_kernel
from attns_core.kernels.form import Form, begin

SOURCE = "from numba import njit\n\n\n@njit\ndef solve(x):\n    return x + {0}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(cache, "_loaded", {})
    monkeypatch.setattr(cache, "_faults", [])
    return tmp_path / "kernels"


def fresh(source: str) -> Any:
    """The kernel as another process would get it."""
    cache._loaded.clear()
    return load_kernel(source, "solve")


def test_a_second_load_comes_from_disk(folder: Path) -> None:
    source = SOURCE.format(1)
    assert fresh(source)(2) == 3
    again = fresh(source)
    assert again(2) == 3
    assert sum(again.stats.cache_hits.values()) == 1
    report = cache_report()
    assert (report.location, report.entries, report.writable, report.faults) == (folder, 1, True, ())
    assert report.size_bytes > len(source)


@pytest.mark.parametrize("suffix", [".nbc", ".nbi", ".py"])
@pytest.mark.parametrize("damage", [b"", b"not what was written"])
def test_damaged_files_are_compiled_again(folder: Path, suffix: str, damage: bytes) -> None:
    source = SOURCE.format(2)
    fresh(source)(1)
    for file in folder.glob(f"*{suffix}"):
        file.write_bytes(damage)
    assert fresh(source)(1) == 3
    repaired = fresh(source)
    assert repaired(1) == 3
    assert sum(repaired.stats.cache_hits.values()) == 1


def test_a_cache_that_cannot_be_written_is_done_without(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert fresh(SOURCE.format(3))(1) == 4
    assert any("No space left" in fault for fault in cache_report().faults)
    assert cache_report().entries == 0


def test_a_folder_that_is_a_file_is_done_without(folder: Path) -> None:
    folder.write_text("in the way")
    assert fresh(SOURCE.format(4))(1) == 5


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs POSIX permissions")
def test_a_folder_others_can_write_to_is_not_trusted(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    assert fresh(SOURCE.format(5))(1) == 6
    assert not cache_report().trusted
    assert cache_report().entries == 0
    folder.chmod(stat.S_IRWXU)


SOLVE = """
import sys
import time
from attns_core import FixedStep, Problem, build_registry
registry = build_registry()
problem = Problem.sample(registry.equation("elastic-pendulum"), n=50, t_end=1.0, save_every=0.5)
run = registry.backend("numba").prepare(problem, registry.method("rk4"), FixedStep(0.1), None, "float64")
ready = time.process_time()
assert "sympy" not in sys.modules, "a start waits for formulas that nothing asked for"
from attns_core.kernels import cache
(module,) = cache._loaded.values()
print(ready, sum(module.solve.stats.cache_hits.values()), float(run().u.sum()), *cache.cache_report().faults)
"""


def test_processes_share_the_cache(tmp_path: Path) -> None:
    environment = {**os.environ, cache.ENVIRONMENT_VARIABLE: str(tmp_path)}
    command = [sys.executable, "-c", SOLVE]
    # Two at once on an empty cache, then one that finds it filled.
    racing = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first = [process.communicate()[0].split() for process in racing]
    assert [process.returncode for process in racing] == [0, 0]
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert len({line[2] for line in [*first, second]}) == 1
    assert [len(line) for line in [*first, second]] == [3, 3, 3]
    assert second[1] == "1"
    # Processor time, since the machine may be busy with other tests; those that raced have compiled.
    assert float(second[0]) < min(float(line[0]) for line in first)


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("from attns_core.kernels.monomial_layer import x", ["monomial_layer", "layer_function", "vector_arithmetic"]),
        (begin(Form()).text(), ["statements", "expressions", "elementary", "vectors"]),
    ],
)
def test_a_kernel_depends_on_all_that_it_calls(
    monkeypatch: pytest.MonkeyPatch, source: str, modules: list[str]
) -> None:
    before = cache._called(source)
    assert before != cache._called("")
    texts = cache._module_text
    for called in modules:
        changed = lambda name, called=called: texts(name) + ("\n" if name == called else "")  # noqa: E731
        monkeypatch.setattr(cache, "_module_text", changed)
        assert cache._called(source) != before
