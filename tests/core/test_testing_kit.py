"""The kit finds what it is there to find: every check fails for something broken in just that way."""

import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attns_core import (
    AbstractSolver,
    AttnsError,
    ButcherTableau,
    Citation,
    Equation,
    FixedStep,
    Invariant,
    Registry,
    Solution,
    UnknownNameError,
    black_box,
    build_registry,
)
from attns_core.metric import Metric
from attns_core.testing import Context, checked_kinds, checks_of, run_check, run_checks
from attns_core.testing.problems import OSCILLATOR

CONTEXT = Context(registry=build_registry())


def _solve(problem: Any, control: Any, **faults: Any) -> Solution:
    """RK4 in NumPy, wrong in the ways that ``faults`` ask for."""
    f, u, dt = problem.rhs("numpy"), problem.u0.copy(), control.dt
    if "raises_on_nan" in faults and np.isnan(u).any():
        raise ValueError("NaN in initial state")
    if "batch" in faults:
        u = u + 1e-3 * u.shape[1]
        u[:, 0] = problem.u0[:, 0]
    if "counter" in faults:
        faults["counter"].append(1)
        u = u + 1e-9 * len(faults["counter"])
    states, steps = [problem.u0.copy()], 0
    with np.errstate(all="ignore"):
        for t, n in zip(problem.t_save, problem.steps_per_save(control), strict=False):
            for i in range(n):
                now = t + i * dt
                k1 = f(now, u)
                k2 = f(now + dt / 2, u + dt / 2 * k1)
                k3 = f(now + dt / 2, u + dt / 2 * k2)
                k4 = f(now + dt, u + dt * k3)
                u = u + dt * (k1 + 2 * k2 + 2 * k3 + k4) / faults.get("divisor", 6)
                steps += 1
            if "raises_on_divergence" in faults and np.abs(u).max(initial=0) > 1e3:
                raise FloatingPointError("state too large")
            states.append(u)
    if "environment" in faults:
        os.environ["KIT_TEST"] = str(steps)
        np.random.seed(1)
    if "zero_length" in faults and len(states) == 1:
        states = []
    u = np.array(states).astype(faults.get("dtype", np.float64)).reshape(-1, *problem.u0.shape)
    return Solution(t=problem.t_save, u=u, n_steps=steps + faults.get("miscount", 0), nfe=4 * steps)


class Broken(AbstractSolver):
    """A solver without the black box's protection, that cannot be pickled."""

    name, tags = "broken", frozenset()

    def __init__(self, faults: dict[str, Any]) -> None:
        self.faults, self.unpicklable = faults, lambda: None

    def supports(self, problem: Any, control: Any) -> str | None:
        return None if isinstance(control, FixedStep) else "fixed steps only"

    def prepare(self, problem: Any, control: Any) -> Any:
        reason = self.supports(problem, control)
        if reason is not None:
            raise AttnsError(reason)
        return lambda: _solve(problem, control, **self.faults)


FAULTS: dict[str, dict[str, Any]] = {
    "dtype": {"dtype": np.float32},
    "determinism": {"counter": []},
    "purity": {"environment": True},
    "accuracy": {"divisor": 7},
    "zero-length": {"zero_length": True},
    "batch-of-one": {"batch": True},
    "divergence": {"raises_on_divergence": True},
    "nan-input": {"raises_on_nan": True},
    "counters": {"miscount": 1},
    "pickling": {},
}


@pytest.mark.parametrize("name", FAULTS)
def test_solver_checks_find_faults(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KIT_TEST", raising=False)
    item = {c.name: c for c in checks_of("solver")}[name]
    result = run_check(item, Broken(FAULTS[name]), CONTEXT)
    assert result.status == "failed", f"{name} did not notice"
    assert result.reason


def test_a_sound_solver_passes() -> None:
    sound = black_box(name="sound", control="fixed")(_solve)
    for item in checks_of("solver"):
        if item.name != "pickling":  # the module under test is no module of a worker
            result = run_check(item, sound, CONTEXT)
            assert result.ok, f"{item.name}: {result.reason}"


class Liar(AbstractSolver):
    """Says that it supports nothing, and prepares all the same."""

    name, tags = "liar", frozenset()

    def supports(self, problem: Any, control: Any) -> str | None:
        return "never"

    def prepare(self, problem: Any, control: Any) -> Any:
        return lambda: None


def test_refusing_in_words_only_is_found() -> None:
    result = run_check({c.name: c for c in checks_of("solver")}["refusals"], Liar(), CONTEXT)
    assert result.status == "failed"
    assert "must raise AttnsError" in result.reason
    skipped = run_check({c.name: c for c in checks_of("solver")}["determinism"], Liar(), CONTEXT)
    assert (skipped.status, skipped.reason) == ("skipped", "never")


def _remembers() -> Any:
    seen: list[float] = []

    def rhs(t: Any, u: Any, p: Any, m: Any) -> Any:
        seen.append(1.0)
        return u[1] + len(seen), -(p.omega**2) * u[0]

    return rhs


EQUATION_FAULTS = {
    "metadata": {"dts": (0.3,)},
    "sampler": {"sample": lambda p, rng, n: np.random.default_rng().uniform(size=(2, n))},
    "purity": {"rhs": _remembers()},
    "batch": {"rhs": lambda t, u, p, m: (u[1] + 1e-3 * np.size(u[0]), -u[0])},
    "forms": {"array_rhs": lambda t, u, p, xp: xp.stack((u[1], -p.omega * u[0]))},
    "invariants": {"invariants": (Invariant("sum", lambda t, u, p, m: u[0] + u[1]),)},
    "exact": {"exact": lambda t, u0, p: u0 * np.exp(t)},
    "pickling": {"rhs": lambda t, u, p, m: (u[1], -u[0])},
}


@pytest.mark.parametrize("name", EQUATION_FAULTS)
def test_equation_checks_find_faults(name: str) -> None:
    broken: Equation = replace(OSCILLATOR, **EQUATION_FAULTS[name])  # type: ignore[arg-type]
    result = run_check({c.name: c for c in checks_of("equation")}[name], broken, CONTEXT)
    assert result.status == "failed", f"{name} did not notice"


def test_a_method_that_claims_too_much_is_found() -> None:
    from attns_core import ExplicitRungeKutta

    boast = ExplicitRungeKutta(
        name="boast",
        title="Heun that claims order 3",
        order=2,
        tableau=ButcherTableau(a=[[], [1]], b=[1 / 2, 1 / 2], c=[0, 1]),
        citation=Citation(key="k", authors="A", title="T", where="W", year=2000),
    )
    object.__setattr__(boast, "order", 3)
    results = {c.name: run_check(c, boast, CONTEXT) for c in checks_of("method")}
    assert "is violated" in results["order-conditions"].reason
    assert "observed order 2" in results["as-solver"].reason


@pytest.mark.parametrize(
    ("compute", "reason"),
    [
        (lambda outcome: {"other": 1.0}, "it yields"),
        (lambda outcome: {"worst": float(np.abs(outcome.solution.u).max())}, "is nan: use None"),
    ],
)
def test_metric_checks_find_faults(compute: Any, reason: str) -> None:
    metric = Metric(name="worst", title="Worst", columns={"worst": "largest state"}, compute=compute)
    result = run_check({c.name: c for c in checks_of("metric")}["columns"], metric, CONTEXT)
    assert result.status == "failed"
    assert reason in result.reason


def test_expected_failures_must_fail() -> None:
    item = {c.name: c for c in checks_of("solver")}["counters"]
    sound = black_box(name="sound", control="fixed")(_solve)
    assert run_check(item, sound, CONTEXT, "known").status == "unexpected"
    broken = black_box(name="broken", control="fixed")(lambda p, c: _solve(p, c, miscount=1))
    result = run_check(item, broken, CONTEXT, "counts one too many")
    assert (result.status, result.reason, result.ok) == ("expected", "counts one too many", True)


def test_a_solver_declares_its_own_failures() -> None:
    declared = black_box(name="declared", control="fixed", expected_failures={"counters": "one too many"})
    broken = declared(lambda p, c: _solve(p, c, miscount=1))
    registry = Registry((), (), {"solver": {"declared": broken}}, {})
    (result,) = run_checks(Context(registry=registry), "solver", "declared", only=["counters"])
    assert (result.status, result.reason) == ("expected", "one too many")


def test_unknown_checks_and_kinds_list_the_known() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'metadata'"):
        run_checks(CONTEXT, "method", "rk4", only=["metadat"])
    with pytest.raises(UnknownNameError, match="solver"):
        checks_of("solvers")
    assert set(checked_kinds()) == {"solver", "equation", "method", "corrector", "backend", "metric"}


def test_only_the_named_checks_run() -> None:
    results = run_checks(CONTEXT, "method", "rk4", only=["metadata"])
    assert [(r.check, r.status) for r in results] == [("metadata", "passed")]
