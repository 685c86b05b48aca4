"""Prescribed steps of any lengths: compiled as defined, corrected or not, and what frozen steps are."""

from typing import Any

import numpy as np
import pytest
from attns_plugins.methods.zero import ZERO

from attns_core import (
    AttnsError,
    FixedStep,
    FrozenSteps,
    OneStepSolver,
    Problem,
    StepsPerSave,
    build_registry,
    solve,
)
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.correction import input_size
from attns_core.corrector_sequence import CorrectorSequence
from attns_core.step_sequence import pilot_times, step_sequence
from attns_core.trained_corrector import Layer, TrainedCorrector

REGISTRY = build_registry()
ROBERTSON = REGISTRY.equation("robertson")
DRIVEN = REGISTRY.equation("driven-oscillator")
HALVES = StepsPerSave(2)
LOG = Problem.sample_log(ROBERTSON, points=4, n=37, seed=3)


def uneven(equation: Any, n: int = 37) -> Problem:
    return Problem(
        equation=equation, u0=equation.initial_states(5, n), t_save=equation.t0 + np.array([0.0, 0.1, 0.15, 0.4])
    )


@pytest.mark.parametrize("method", ["euler", "rk4", "dop853", "srkn11", "rodas4", "linearly-implicit-euler", "etdrk4"])
@pytest.mark.parametrize("control", [StepsPerSave(1), StepsPerSave(3)])
def test_steps_of_several_lengths_are_compiled_as_defined(method: str, control: StepsPerSave) -> None:
    equation = REGISTRY.equation("henon-heiles" if method in ("srkn11", "etdrk4") else "driven-oscillator")
    problem = uneven(equation)
    expected = NumpyBackend().prepare(problem, REGISTRY.method(method), control, None, "float64")()
    for form in ("auto", "staged") if method in ("euler", "rk4") else ("auto",):
        got = NumbaBackend(form=form).prepare(problem, REGISTRY.method(method), control, None, "float64")()
        np.testing.assert_allclose(got.u, expected.u, rtol=1e-12, atol=1e-13)
        assert np.array_equal(got.n_steps, expected.n_steps)
        assert np.array_equal(got.nfe, expected.nfe)


def test_equal_intervals_give_the_fixed_step() -> None:
    problem = Problem.sample(DRIVEN, n=5, t_end=2.0, save_every=0.5)
    rk4 = REGISTRY.method("rk4")
    fixed = NumbaBackend().prepare(problem, rk4, FixedStep(0.125), None, "float64")()
    counted = NumbaBackend().prepare(problem, rk4, StepsPerSave(4), None, "float64")()
    np.testing.assert_allclose(counted.u, fixed.u, rtol=1e-13, atol=1e-14)


def test_frozen_steps_are_the_pilots() -> None:
    """On the pilot's own trajectory frozen steps reproduce the adaptive run; refined ones are more exact."""
    method = REGISTRY.method("rodas4")
    adaptive = OneStepSolver(method=method, backend=NumbaBackend())
    alone = Problem(equation=ROBERTSON, u0=LOG.u0[:, :1], t_save=LOG.t_save)
    reference = solve(alone, adaptive, rtol=1e-11, atol=1e-13).u
    one = solve(alone, adaptive, rtol=1e-5, atol=1e-7)
    frozen = solve(alone, adaptive, frozen=1e-5, atol=1e-7)
    np.testing.assert_allclose(frozen.u, one.u, rtol=1e-9)
    assert frozen.n_steps == one.n_steps
    scale = np.abs(reference).max(axis=(0, 2), keepdims=True)
    errors, pilot = [], solve(LOG, adaptive, frozen=1e-5, atol=1e-7).n_steps[0]
    for refine in (1.0, 2.0, 4.0):
        found = solve(LOG, adaptive, frozen=1e-5, atol=1e-7, refine=refine)
        assert found.n_steps[0] == pytest.approx(refine * pilot, abs=len(LOG.t_save))
        errors.append(np.abs(found.u[:, :, :1] - reference).max(initial=0.0) / scale.max())
    assert errors[1] < errors[0] / 6
    assert errors[2] < errors[1] / 6


def test_frozen_steps_in_both_backends() -> None:
    control = FrozenSteps(rtol=1e-4, atol=1e-7, refine=0.7)
    method = REGISTRY.method("rodas5p")
    expected = NumpyBackend().prepare(LOG, method, control, None, "float64")()
    got = NumbaBackend().prepare(LOG, method, control, None, "float64")()
    size = np.abs(expected.u).max(axis=(0, 2), keepdims=True)
    assert (np.abs(got.u - expected.u) / size).max() < 1e-10


def test_pilots_that_cannot_be() -> None:
    with pytest.raises(AttnsError, match="no error estimate"):
        pilot_times(LOG, REGISTRY.method("rk4"), control=None)  # type: ignore[arg-type]
    solver = OneStepSolver(method=REGISTRY.method("euler"), backend=NumbaBackend())
    with pytest.raises(AttnsError, match="no error estimate, which the pilot"):
        solve(LOG, solver, frozen=1e-3)
    with pytest.raises(AttnsError, match="give either dt"):
        solve(LOG, solver, frozen=1e-3, dt=0.1)
    with pytest.raises(AttnsError, match="at least 1, got 0"):
        StepsPerSave(0)
    with pytest.raises(AttnsError, match="refine must be a positive"):
        FrozenSteps(rtol=1e-3, atol=1e-3, refine=0)


def sequence(
    problem: Problem,
    method: Any,
    *,
    source: str,
    control: Any = HALVES,
    number: int | None = None,
    activation: str = "tanh",
    depth: int = 1,
    values: bool = False,
    degree: int = 0,
    width: int = 6,
) -> CorrectorSequence:
    """Random correctors, one for each step (or ``number`` of them), with limited inputs."""
    rng, dim = np.random.default_rng(8), problem.equation.dim
    steps = step_sequence(problem, method, control)
    number = steps.n_steps if number is None else number
    n_in = input_size(source, dim, method)
    exponents = None
    if degree:
        from attns_core.fitting.skeleton import monomials

        exponents = monomials(n_in, degree)

    def one(i: int) -> TrainedCorrector:
        layers, before = [], n_in
        for _ in range(0 if degree else depth):
            weight = rng.normal(size=(width, before)) / np.sqrt(before)
            layers.append(
                Layer(weight=weight, bias=rng.normal(size=width), activation=activation, shape=np.zeros(0))  # type: ignore[arg-type]
            )
            before = width
        n = 1 + n_in + (len(exponents) if exponents is not None else width)
        stages = method.stages
        size = np.abs(problem.u0).max(axis=1) + 0.1
        return TrainedCorrector(
            input=source,
            mean=0.1 * rng.normal(size=n_in),
            scale=1 + rng.random(n_in),
            layers=tuple(layers),
            exponents=exponents,
            offset=0.01 * size * rng.normal(size=(n, dim)),
            weights=0.01 * rng.normal(size=(n, 1, dim)) if values else None,
            values=rng.normal(size=(1, stages)) if values else None,
            lower=-0.4 - 0.2 * rng.random(n_in),
            upper=0.4 + 0.2 * rng.random(n_in),
            active=i != 1,
        )

    return CorrectorSequence(
        correctors=tuple(one(i) for i in range(number)), starts=steps.starts[:number], lengths=steps.lengths[:number]
    )


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("zero", {"source": "u"}),
        ("zero", {"source": "u0", "activation": "sine"}),
        ("zero", {"source": "u", "degree": 3}),
        ("zero", {"source": "u", "depth": 2}),
        ("linearly-implicit-euler", {"source": "uS"}),
        ("rodas4", {"source": "uK", "values": True}),
        ("rk4", {"source": "S", "width": 40}),
        ("exponential-euler", {"source": "uS"}),
    ],
)
def test_sequences_of_correctors_are_compiled_as_defined(method: str, options: Any) -> None:
    equation = REGISTRY.equation("henon-heiles" if method.startswith("exp") else "driven-oscillator")
    problem, found = uneven(equation), REGISTRY.method(method)
    term = sequence(problem, found, **options)
    control = HALVES
    expected = NumpyBackend().prepare(problem, found, control, term, "float64")()
    bare = NumpyBackend().prepare(problem, found, control, None, "float64")()
    got = NumbaBackend(lanes=16).prepare(problem, found, control, term, "float64")()
    np.testing.assert_allclose(got.u, expected.u, rtol=1e-12, atol=1e-13)
    assert np.abs(bare.u - expected.u).max() > 1e-3
    assert np.array_equal(got.n_corrector, expected.n_corrector)
    assert expected.n_corrector[0] == 5


def test_a_sequence_repeats_over_equal_steps() -> None:
    problem = Problem.sample(DRIVEN, n=9, t_end=1.2, save_every=0.4)
    term = sequence(problem, ZERO, source="u", control=FixedStep(0.1), number=3)
    solver = OneStepSolver(method=ZERO, backend=NumbaBackend(), corrector=term)
    got = solve(problem, solver, dt=0.1)
    expected = NumpyBackend().prepare(problem, ZERO, FixedStep(0.1), term, "float64")()
    np.testing.assert_allclose(got.u, expected.u, rtol=1e-12, atol=1e-13)
    assert got.n_corrector[0] == 8


def test_sequences_refuse_other_steps() -> None:
    problem = uneven(DRIVEN)
    solver = OneStepSolver(method=ZERO, backend=NumbaBackend(), corrector=sequence(problem, ZERO, source="u"))
    with pytest.raises(AttnsError, match=r"step 0 has length 0\.1, its corrector was trained for 0\.05"):
        solve(problem, solver, steps=1)
    with pytest.raises(AttnsError, match="no embedded error estimate"):
        solve(problem, solver, rtol=1e-3)
    later = Problem(equation=DRIVEN, u0=problem.u0, t_save=problem.t_save + 1)
    with pytest.raises(AttnsError, match=r"begins at t=1, its corrector was trained for t=0"):
        solve(later, solver, steps=2)
    single = OneStepSolver(method=ZERO, backend=NumbaBackend(), corrector=solver.corrector.correctors[0])  # type: ignore[union-attr]
    with pytest.raises(AttnsError, match="belongs to one dt"):
        solve(problem, single, steps=2)
