"""Results do not depend on how the work is laid out; the time loop neither allocates nor grows."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attns_core import Adaptive, AttnsError, FixedStep, Problem, build_registry
from attns_core.backends import numba_blocks
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.kernels.vectors import nearest_cache

REGISTRY = build_registry()
PENDULUM = REGISTRY.equation("elastic-pendulum")
RK4 = REGISTRY.method("rk4")
BACKEND = NumbaBackend(lanes=16)
CONTROLS = [FixedStep(0.02), Adaptive(rtol=1e-8, atol=1e-8)]


def problem(n: int, t_end: float = 0.4) -> Problem:
    return Problem.sample(PENDULUM, n=n, t_end=t_end, save_every=0.2)


def solve(backend: NumbaBackend, p: Problem, control: Any) -> Any:
    method = RK4 if isinstance(control, FixedStep) else REGISTRY.method("dop853")
    return backend.prepare(p, method, control, None, "float64")()


@pytest.mark.parametrize(
    ("cache", "n", "method", "lanes"),
    [
        (48, 40, "dop853", 8),
        (48, 40, "rk4", 16),
        (48, 4, "dop853", 32),
        (48, 9, "dop853", 32),
        (32, 40, "dop853", 4),
        (32, 9, "dop853", 16),
    ],
)
def test_blocks_of_large_ensembles_keep_their_stages_in_the_nearest_cache(
    cache: int, n: int, method: str, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba_blocks, "NEAREST_CACHE", cache * 1024)
    equation = REGISTRY.equation("lorenz-96").with_params(n=n)
    problem = Problem.sample(equation, n=300, t_end=0.1, save_every=0.05)
    backend = NumbaBackend(form="staged")
    found = backend.prepare(problem, REGISTRY.method(method), FixedStep(0.05), None, "float64")()
    assert found.extra["lanes"] == lanes
    few = replace(problem, u0=problem.u0[:, :100])
    same = backend.prepare(few, REGISTRY.method(method), FixedStep(0.05), None, "float64")()
    assert same.extra["lanes"] == 32
    np.testing.assert_array_equal(found.u[:, :, :100], same.u)


def test_the_nearest_cache_is_the_first_that_holds_data(tmp_path: Path) -> None:
    assert nearest_cache(tmp_path) == 48 * 1024
    for i, facts in enumerate([("1", "Instruction", "64K"), ("1", "Data", "32K"), ("2", "Unified", "512K")]):
        (tmp_path / f"index{i}").mkdir()
        for name, fact in zip(("level", "type", "size"), facts, strict=True):
            (tmp_path / f"index{i}" / name).write_text(fact + "\n")
    nearest_cache.cache_clear()
    assert nearest_cache(tmp_path) == 32 * 1024
    (tmp_path / "index1" / "size").write_text("unknown")
    nearest_cache.cache_clear()
    assert nearest_cache(tmp_path) == 48 * 1024


@pytest.mark.parametrize("control", CONTROLS, ids=["fixed", "adaptive"])
def test_threads_change_nothing_and_are_recorded(control: Any) -> None:
    p = problem(70)
    one, two = solve(BACKEND, p, control), solve(replace(BACKEND, threads=2), p, control)
    assert np.array_equal(one.u, two.u)
    assert np.array_equal(one.n_steps, two.n_steps)
    assert (one.extra["threads"], two.extra["threads"]) == (1, 2)


@pytest.mark.parametrize("control", CONTROLS, ids=["fixed", "adaptive"])
def test_batch_position_changes_nothing(control: Any) -> None:
    p = problem(37)
    order = np.random.default_rng(0).permutation(37)
    shuffled = replace(p, u0=p.u0[:, order])
    assert np.array_equal(solve(BACKEND, p, control).u[:, :, order], solve(BACKEND, shuffled, control).u)


def test_block_size_changes_nothing() -> None:
    p = problem(37)
    whole = solve(BACKEND, p, CONTROLS[0]).u
    assert np.array_equal(whole, solve(replace(BACKEND, lanes=32), p, CONTROLS[0]).u)
    alone = replace(p, u0=p.u0[:, 36:])
    assert np.array_equal(whole[:, :, 36:], solve(BACKEND, alone, CONTROLS[0]).u)


@pytest.mark.parametrize("control", CONTROLS, ids=["fixed", "adaptive"])
def test_vector_width_changes_nothing_and_is_recorded(control: Any) -> None:
    p = problem(37)
    narrow, wide = (solve(replace(BACKEND, vector_bits=bits), p, control) for bits in (128, 512))
    assert np.array_equal(narrow.u, wide.u)
    assert (narrow.extra["vector_bits"], wide.extra["vector_bits"]) == (128, 512)


def test_time_loop_does_not_allocate() -> None:
    from numba.core.runtime import _nrt_python, rtsys

    _nrt_python.memsys_enable_stats()

    def allocations(t_end: float, control: Any) -> int:
        p = Problem.sample(PENDULUM, n=20, t_end=t_end, save_every=t_end)
        method = RK4 if isinstance(control, FixedStep) else REGISTRY.method("dopri5")
        run = BACKEND.prepare(p, method, control, None, "float64")
        before = rtsys.get_allocation_stats().alloc
        run()
        return rtsys.get_allocation_stats().alloc - before

    for control in CONTROLS:
        few, many = allocations(0.2, control), allocations(2.0, control)
        # Adaptive solves copy one state per trajectory for its first step, whatever the time span.
        assert few == many
        assert few > 0


def test_large_ensembles_need_output_and_blocks_only() -> None:
    code = """
from pathlib import Path
from attns_core import FixedStep, Problem, build_registry
registry = build_registry()
equation = registry.equation("elastic-pendulum")
problem = Problem.sample(equation, n=1_000_000, t_end=0.1, save_every=0.1)
solution = registry.backend("numba").prepare(problem, registry.method("rk4"), FixedStep(0.05), None, "float64")()
assert solution.finite.all()
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
"""
    # Not getrusage: its maximum survives fork and exec, so it would report this process's memory.
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(out.stdout) * 1024 < 2**30


def test_arguments_out_of_the_fast_range_are_repeated_exactly() -> None:
    p = problem(20)
    u0 = np.array(p.u0)
    u0[0, 3] = 1e15
    got = solve(BACKEND, replace(p, u0=u0), FixedStep(0.2))
    expected = REGISTRY.backend("numpy").prepare(replace(p, u0=u0), RK4, FixedStep(0.2), None, "float64")()
    assert got.extra["blocks_repeated_exactly"] == 1
    assert np.isfinite(got.u).all()
    np.testing.assert_allclose(got.u[:, 1:, 3], expected.u[:, 1:, 3], rtol=1e-9)


def test_bad_options_are_refused() -> None:
    with pytest.raises(AttnsError, match="threads and lanes must be at least 1, got 0"):
        NumbaBackend(threads=0)
    with pytest.raises(AttnsError, match="'wide'"):
        NumbaBackend(form="wide")
    with pytest.raises(AttnsError, match=r"vector_bits must be None or one of .* got 100"):
        NumbaBackend(vector_bits=100)
