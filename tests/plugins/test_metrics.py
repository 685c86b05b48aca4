"""Metrics on outcomes whose values can be worked out by hand."""

import math

import numpy as np
import pytest
from attns_plugins.metrics import METRICS

from attns_core import Citation, Equation, Invariant, Problem, Solution, build_registry
from attns_core.metric import Outcome
from attns_core.reference import Reference

CITATION = Citation(key="none", authors="A", title="T", where="W", year=2000)
COLUMNS = {name for metric in METRICS for name in metric.columns}


def rotation(lyapunov=None, dim=2):
    return Equation(
        name="rotation",
        title="Rotation",
        description="x' = v, v' = -x",
        rhs=lambda t, u, p, m: (u[1], -u[0]),
        components=tuple("xv")[:dim],
        sample=lambda p, rng, n: rng.normal(size=(2, n)),
        t_end=2.0,
        dts=(0.5,),
        citation=CITATION,
        lyapunov=lyapunov,
        invariants=(Invariant("energy", lambda t, u, p, m: u[0] ** 2 + u[1] ** 2),),
    )


def outcome(error, *, lyapunov=None, valid_time=None, n=3, n_save=5, size=1.0):
    """Reference of constant +-size states, solution off by ``error(times, dim, n)``."""
    t = np.linspace(0.0, 2.0, n_save)
    u = np.tile(size * np.array([[1.0], [-1.0]]), (n_save, 1, n))
    e = np.zeros_like(u)
    e[1:] = error(t[1:, None, None], np.arange(2)[None, :, None], np.arange(n)[None, None, :])
    valid = np.full(n, t[-1]) if valid_time is None else np.asarray(valid_time, dtype=float)
    problem = Problem(equation=rotation(lyapunov), u0=u[0], t_save=t)
    reference = Reference(
        t=t, u=u, gap=np.zeros((n_save, n)), valid_time=valid, integrators=("exact", "exact"), seconds=0.0
    )
    return Outcome(problem=problem, solution=Solution(t=t, u=u + e, n_steps=4, nfe=4), reference=reference)


def measure(result):
    row = {}
    for metric in METRICS:
        values = metric.compute(result)
        assert set(values) == set(metric.columns)
        row.update(values)
    assert all(v is None or math.isfinite(v) for v in row.values()), row
    return row


def test_registered_with_required_columns():
    registry = build_registry()
    columns = {name for metric in registry.all("metric") for name in metric.columns}
    norms = {f"error_{n}{k}" for n in ("final", "l2", "linf") for k in ("", "_rel", "_scaled")}
    assert (
        norms
        | {
            "diverged_fraction",
            "divergence_time",
            "invariant_drift",
            "rollout_mse",
            "error_p99",
            "valid_prediction_time",
        }
        <= columns
    )
    assert all(text.strip() for metric in METRICS for text in metric.columns.values())


def test_error_norms_by_hand():
    row = measure(outcome(lambda t, i, j: 1e-3 * t * (i == 0) + 0 * j, size=2.0))
    times = np.array([0.5, 1.0, 1.5, 2.0])
    assert row["error_final"] == pytest.approx(1e-3)  # mean of 2e-3 and 0
    assert row["error_l2"] == pytest.approx(1e-3 * math.sqrt(np.mean(times**2) / 2))
    assert row["error_linf"] == pytest.approx(2e-3)
    for norm in ("final", "l2", "linf"):
        assert row[f"error_{norm}_rel"] == pytest.approx(row[f"error_{norm}"] / 2)
        assert row[f"error_{norm}_scaled"] == pytest.approx(row[f"error_{norm}"] / 2)
    assert row["rollout_mse"] == pytest.approx(row["error_l2"] ** 2)
    assert row["diverged_fraction"] == 0
    assert row["divergence_time"] is None


def test_scaled_errors_do_not_drown_small_components():
    result = outcome(lambda t, i, j: 1e-6 * (i == 1) + 0 * t * j)
    u = result.reference.u.copy()
    u[:, 1] *= 1e-6
    small = Reference(
        t=result.reference.t, u=u, gap=result.reference.gap, valid_time=result.reference.valid_time,
        integrators=("exact", "exact"), seconds=0.0,
    )  # fmt: skip
    solution = Solution(t=small.t, u=u + result.error.mean() * 0, n_steps=4, nfe=4)
    solution.u[1:, 1] += 1e-6
    row = measure(Outcome(problem=result.problem, solution=solution, reference=small))
    assert row["error_linf_scaled"] == pytest.approx(1.0)
    assert row["error_linf_rel"] == pytest.approx(1e-6)


def test_exploded_trajectories_are_counted_and_kept_out_of_the_errors():
    def error(t, i, j):
        bad = np.where(t > 1.2, np.nan, np.where(t > 0.8, 50.0, 1e-3))
        return np.where(j == 0, bad, 1e-3) + 0 * i

    row = measure(outcome(error))
    assert row["diverged_fraction"] == pytest.approx(1 / 3)
    assert row["divergence_time"] == row["divergence_time_median"] == 1.0
    assert row["error_linf"] == pytest.approx(1e-3)
    # Three of the four steps of one of three trajectories count as 10**2 each.
    assert row["rollout_mse"] == pytest.approx((3 * 100 + 1e-6) / 4 / 3 + 2e-6 / 3)
    assert row["rollout_mse_median"] == pytest.approx(1e-6)
    assert 1e-3 < row["error_p99"] < 10


def test_everything_lost_leaves_no_error_but_all_counts():
    row = measure(outcome(lambda t, i, j: np.inf + 0 * (t + i + j), lyapunov=1.0))
    assert row["diverged_fraction"] == 1
    assert row["error_l2"] is None
    assert row["invariant_drift"] is None
    assert row["rollout_mse"] == pytest.approx(100)
    assert row["valid_prediction_time"] == 0


def test_nothing_beyond_the_valid_time_counts():
    inside = measure(outcome(lambda t, i, j: 1e-3 * t + 0 * (i + j)))
    row = measure(outcome(lambda t, i, j: 1e-3 * t + (t > 1.2) + 0 * (i + j), valid_time=[1.0] * 3))
    assert row["error_linf"] == pytest.approx(1e-3)
    assert row["error_final"] == pytest.approx(1e-3)
    assert row["rollout_mse"] == pytest.approx(1e-6 * (0.25 + 1) / 2)
    assert inside["error_linf"] == pytest.approx(2e-3)
    nothing = measure(outcome(lambda t, i, j: 0 * (t + i + j), valid_time=[0.0] * 3, lyapunov=1.0))
    assert nothing["error_l2"] is nothing["rollout_mse"] is nothing["valid_prediction_time"] is None


def test_invariant_drift_by_hand():
    row = measure(outcome(lambda t, i, j: 1e-3 * (t == 1.0) * (i == 0) + 0 * j))
    drift = (1.001**2 - 1) / 2
    assert row["invariant_drift"] == pytest.approx(drift)
    assert row["invariant_drift_absolute"] == pytest.approx(2 * drift)
    assert row["invariant_drift_final"] == pytest.approx(0, abs=1e-15)


def test_valid_prediction_time_counts_lyapunov_times_and_censors():
    def error(t, i, j):
        return 10.0 * (t >= 0.5 * (j + 1)) * (j < 2) + 0 * i

    result = outcome(error, lyapunov=3.0)
    oscillating = result.reference.u * np.array([1, -1, 1, -1, 1])[:, None, None]
    reference = Reference(
        t=result.reference.t, u=oscillating, gap=result.reference.gap, valid_time=result.reference.valid_time,
        integrators=("exact", "exact"), seconds=0.0,
    )  # fmt: skip
    solution = Solution(t=reference.t, u=oscillating + np.concatenate([np.zeros((1, 2, 3)), result.error]),
                        n_steps=4, nfe=4)  # fmt: skip
    row = measure(Outcome(problem=result.problem, solution=solution, reference=reference))
    assert row["valid_prediction_time"] == pytest.approx(0.5 * 3)  # of 0, 0.5 and 2 (censored)
    assert row["valid_prediction_censored"] == pytest.approx(1 / 3)
    assert row["valid_prediction_threshold"] == 0.5


def test_attractor_statistics_tell_a_shifted_frequency_and_a_shrunk_amplitude():
    t = np.linspace(0, 20, 401)
    phase = np.linspace(0, 2 * np.pi, 20, endpoint=False)

    def orbit(frequency, radius):
        angle = frequency * t[:, None] + phase
        return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    u = orbit(3.0, 1.0)
    problem = Problem(equation=rotation(lyapunov=1.0), u0=u[0], t_save=t)
    reference = Reference(t=t, u=u, gap=np.zeros((401, 20)), valid_time=np.full(20, 20.0), integrators=("a", "b"),
                          seconds=0.0)  # fmt: skip

    def row(v):
        return measure(Outcome(problem=problem, solution=Solution(t=t, u=v, n_steps=1, nfe=1), reference=reference))

    same, faster, smaller = row(u), row(orbit(6.0, 1.0)), row(orbit(3.0, 0.5))
    assert same["histogram_divergence"] == pytest.approx(0, abs=1e-12)
    assert same["spectral_hellinger"] == pytest.approx(0, abs=1e-6)
    assert faster["spectral_hellinger"] > 0.9 > faster["histogram_divergence"]
    assert smaller["histogram_divergence"] > 5
    assert smaller["spectral_hellinger"] == pytest.approx(0, abs=1e-6)


def test_non_chaotic_equations_have_no_chaotic_metrics():
    row = measure(outcome(lambda t, i, j: 0 * (t + i + j)))
    chaotic = {"valid_prediction_time", "valid_prediction_censored", "histogram_divergence", "spectral_hellinger"}
    assert {name for name in COLUMNS if row[name] is None} >= chaotic
