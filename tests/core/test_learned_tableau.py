"""Learned tableaus: the same step on every backend, with terms beside it, and clear refusals."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from attns_plugins.correctors import CORRECTORS
from attns_plugins.equations import EQUATIONS
from attns_plugins.methods import METHODS

from attns_core import AttnsError, ButcherTableau, ExplicitRungeKutta, OneStepSolver, Problem
from attns_core.backend import AbstractBackend
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.backends.torch_device import TorchBackend
from attns_core.control import FixedStep, StepsPerSave
from attns_core.corrector_sequence import CorrectorSequence
from attns_core.equation import Equation
from attns_core.kernels.stage_arrays import of_blocks
from attns_core.operations import operations
from attns_core.trained_corrector import TrainedCorrector

METHOD: dict[str, Any] = {m.name: m for m in METHODS}
EQUATION: dict[str, Equation] = {e.name: e for e in EQUATIONS}
TABLEAU = next(c for c in CORRECTORS if c.tableau)
PENDULUM = EQUATION["k-link-pendulum"].with_params(amplitude=np.pi / 16)
BACKENDS: list[AbstractBackend] = [NumbaBackend(), TorchBackend(name="torch-cpu", device="cpu")]


def some_tableau(method: Any, dim: int, *, size: float = 0.03, seed: int = 0) -> TrainedCorrector:
    s = method.tableau.stages
    added = size * np.random.default_rng(seed).standard_normal((s + 1, s, dim))
    added *= np.tril(np.ones((s + 1, s)), -1)[:, :, None]
    return TrainedCorrector(input="u", mean=np.zeros(dim), scale=np.ones(dim), linear=False, tableau=added[None])


def states(backend: AbstractBackend, problem: Problem, method: Any, corrector: Any, dt: float, dtype: str) -> Any:
    return backend.prepare(problem, method, FixedStep(dt), corrector, dtype)().u


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize(
    ("equation", "method", "dt", "n"),
    [
        ("lorenz-63", "rk4", 0.01, 37),
        ("driven-oscillator", "dopri5", 0.1, 5),
        ("k-link-pendulum", "dop853", 0.05, 1),
        # Rows are summed in pairs: an odd number of them.
        ("k-link-pendulum", "verner9", 0.05, 9),
        ("lorenz-96", "bs3", 0.01, 200),
    ],
)
def test_every_backend_takes_the_reference_step(
    backend: AbstractBackend, equation: str, method: str, dt: float, n: int
) -> None:
    problem = Problem.sample(EQUATION[equation], n=n, seed=1, t_end=10 * dt, save_every=5 * dt)
    corrector = some_tableau(METHOD[method], problem.equation.dim)
    expected = states(NumpyBackend(), problem, METHOD[method], corrector, dt, "float64")
    bare = states(NumpyBackend(), problem, METHOD[method], None, dt, "float64")
    found = states(backend, problem, METHOD[method], corrector, dt, "float64")
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
    assert np.abs(expected - bare).max() > 1e-4
    single = states(backend, problem, METHOD[method], corrector, dt, "float32")
    np.testing.assert_allclose(single, expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("lanes", [8, 32])
def test_a_stage_that_is_left_out_parts_no_pair_of_rows(lanes: int) -> None:
    a, b = [[], [1 / 2], [1 / 4, 1 / 4], [0, 1 / 2, 0], [0, 0, 0, 1]], [1 / 6, 1 / 3, 0, 1 / 3, 1 / 6]
    tableau = ButcherTableau(a=a, b=b, c=[0, 1 / 2, 1 / 2, 1 / 2, 1])
    method = ExplicitRungeKutta(
        name="idle", title="A stage for nothing", order=4, tableau=tableau, citation=METHOD["rk4"].citation
    )
    assert tableau.needed.tolist() == [True, True, False, True, True]
    problem = Problem.sample(EQUATION["lorenz-96"], n=70, seed=1, t_end=0.1, save_every=0.05)
    added = some_tableau(METHOD["rk4"], problem.equation.dim).tableau
    assert added is not None
    added = np.insert(np.insert(added, 2, 0.0, axis=1), 2, 0.0, axis=2)
    corrector = replace(some_tableau(method, problem.equation.dim), tableau=added)
    expected = states(NumpyBackend(), problem, method, corrector, 0.01, "float64")
    found = states(NumbaBackend(lanes=lanes, form="staged"), problem, method, corrector, 0.01, "float64")
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
    bare = states(NumpyBackend(), problem, method, None, 0.01, "float64")
    assert np.abs(bare - expected).max() > 1e-4


@pytest.mark.parametrize("lanes", [1, 5, 24, 48])
@pytest.mark.parametrize("vector_bits", [128, 512])
def test_blocks_and_vectors_of_any_length_take_the_same_steps(lanes: int, vector_bits: int) -> None:
    problem = Problem.sample(EQUATION["lorenz-63"], n=50, seed=1, t_end=0.1, save_every=0.05)
    corrector = some_tableau(METHOD["rk4"], 3)
    expected = states(NumbaBackend(), problem, METHOD["rk4"], corrector, 0.01, "float64")
    backend = NumbaBackend(lanes=lanes, vector_bits=vector_bits)
    np.testing.assert_array_equal(states(backend, problem, METHOD["rk4"], corrector, 0.01, "float64"), expected)


@pytest.mark.parametrize("sets", [1, 2, 3, 4, 12, 24])
@pytest.mark.parametrize("lanes", [8, 32])
def test_blocks_of_components_that_share_weights_fetch_them_once(sets: int, lanes: int) -> None:
    equation = EQUATION["lorenz-96"].with_params(n=24)
    problem = Problem.sample(equation, n=50, seed=1, t_end=0.1, save_every=0.05)
    shared = some_tableau(METHOD["rk4"], sets)
    assert shared.tableau is not None
    tableau = shared.tableau.repeat(24 // sets, axis=3)
    corrector = replace(some_tableau(METHOD["rk4"], 24), tableau=tableau)
    assert of_blocks(tableau[:, :-1], tableau[:, -1])[1].shape == (1, 4, sets)
    expected = states(NumpyBackend(), problem, METHOD["rk4"], corrector, 0.01, "float64")
    found = states(NumbaBackend(lanes=lanes), problem, METHOD["rk4"], corrector, 0.01, "float64")
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_a_tableau_that_adds_nothing_is_the_bare_method() -> None:
    problem = Problem.sample(PENDULUM, n=9, t_end=1.0, save_every=0.5)
    nothing = some_tableau(METHOD["dop853"], 4, size=0.0)
    expected = states(NumpyBackend(), problem, METHOD["dop853"], None, 0.1, "float64")
    found = states(NumpyBackend(), problem, METHOD["dop853"], nothing, 0.1, "float64")
    np.testing.assert_array_equal(found, expected)
    compiled = states(NumbaBackend(), problem, METHOD["dop853"], nothing, 0.1, "float64")
    np.testing.assert_allclose(compiled, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
def test_a_term_beside_it_reads_the_stages_that_it_makes(backend: AbstractBackend) -> None:
    rng = np.random.default_rng(4)
    both = replace(
        some_tableau(METHOD["rk4"], 4),
        linear=True,
        offset=0.01 * rng.standard_normal((5, 4)),
        weights=0.01 * rng.standard_normal((5, 4, 4)),
        values=np.eye(4),
    )
    problem = Problem.sample(PENDULUM, n=40, t_end=1.0, save_every=0.5)
    expected = states(NumpyBackend(), problem, METHOD["rk4"], both, 0.1, "float64")
    alone = states(NumpyBackend(), problem, METHOD["rk4"], replace(both, tableau=None), 0.1, "float64")
    np.testing.assert_allclose(states(backend, problem, METHOD["rk4"], both, 0.1, "float64"), expected, rtol=1e-10)
    assert np.abs(expected - alone).max() > 1e-4


def test_steps_of_several_lengths_are_compiled_too() -> None:
    problem = replace(Problem.sample(PENDULUM, n=40), t_save=np.array([0.0, 0.3, 1.0]))
    corrector = some_tableau(METHOD["rk4"], 4)
    found = [
        b.prepare(problem, METHOD["rk4"], StepsPerSave(4), corrector, "float64")().u
        for b in (NumpyBackend(), NumbaBackend())
    ]
    np.testing.assert_allclose(found[1], found[0], rtol=1e-11, atol=1e-12)


def test_operations_are_those_of_the_weights_that_are_used() -> None:
    problem = Problem.sample(PENDULUM, n=3, t_end=1.0)

    def count(corrector: Any) -> float:
        solver = OneStepSolver(method=METHOD["rk4"], backend=NumpyBackend(), corrector=corrector)
        solution = solver.prepare(problem, FixedStep(0.1))()
        return float(operations(problem, METHOD["rk4"], FixedStep(0.1), corrector, solution)[0])

    # RK4 has 3 + 4 weights, a full tableau 6 + 4: 3 more for each of 4 components, 2 operations in 10 steps.
    tableau = some_tableau(METHOD["rk4"], 4)
    assert tableau.tableau_weights == (6 + 4) * 4
    assert count(tableau) - count(None) == 10 * 2 * 4 * 3
    assert count(replace(tableau, active=False)) == count(None)


def test_steps_that_cannot_be_are_refused_in_words() -> None:
    trained = some_tableau(METHOD["rk4"], 4)
    problem = Problem.sample(PENDULUM, n=3, t_end=1.0)
    for backend in (NumpyBackend(), *BACKENDS):
        for name in ("zero", "rodas4"):
            reason = backend.supports(problem, METHOD[name], FixedStep(0.1), trained, "float64")
            assert reason is not None
            assert "learned tableau needs an explicit Runge-Kutta method" in reason
    with pytest.raises(AttnsError, match="a learned tableau of 4 stages; 'dop853' has 12"):
        states(NumpyBackend(), problem, METHOD["dop853"], trained, 0.1, "float64")
    with pytest.raises(AttnsError, match="serves steps of one length"):
        CorrectorSequence(correctors=(trained,), starts=np.zeros(1), lengths=np.ones(1))
    with pytest.raises(AttnsError, match="clip limit a term, and a learned tableau has none"):
        TABLEAU.with_options(clip=2.0)
