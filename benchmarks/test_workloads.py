"""The workloads as pytest-benchmark cases, smaller than in the comparison.

python -m pytest benchmarks -o addopts=--import-mode=importlib
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from workloads import attention, plain, registry, workload

from attns_core import Adaptive, Problem
from attns_core.backends.numba_cpu import NumbaBackend


@pytest.mark.parametrize("fastmath", [False, True], ids=["default", "fastmath"])
@pytest.mark.parametrize("name", ["W1", "W2", "W3", "W4", "W5k2", "W5k4", "W6el", "W6sp"])
def test_fixed_steps(benchmark: Any, name: str, fastmath: bool) -> None:
    load = workload(name)
    problem = load.problem(steps=min(load.steps, 2000 if load.n == 1 else 100))
    dtype = "float32" if load.corrector is not None else "float64"
    backend = NumbaBackend(fastmath=fastmath)
    solution = benchmark(backend.prepare(problem, load.method, load.control, load.corrector, dtype))
    assert solution.finite.all()


@pytest.mark.parametrize("term", ["bare", "plain64", "attention16", "attention64"])
def test_w6b_corrected_step(benchmark: Any, term: str) -> None:
    load = workload("W1")
    equation = load.equation
    correctors = {
        "bare": None,
        "plain64": plain(equation, 64),
        "attention16": attention(equation, 16),
        "attention64": attention(equation, 64),
    }
    run = NumbaBackend().prepare(load.problem(steps=100), load.method, load.control, correctors[term], "float64")
    assert benchmark(run).finite.all()


@pytest.mark.parametrize("method", ["dop853", "tsit5"])
def test_w7_adaptive(benchmark: Any, method: str) -> None:
    equation = registry().equation("elastic-pendulum")
    problem = Problem(equation=equation, u0=equation.initial_states(0, 100), t_save=np.linspace(0, 5, 51))
    control = Adaptive(rtol=1e-8, atol=1e-8)
    assert benchmark(NumbaBackend().prepare(problem, registry().method(method), control, None, "float64")).finite.all()
