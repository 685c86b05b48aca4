"""Learned tableaus with queries: weights that depend on the state, alike on every backend; fits that pay."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attns_plugins.correctors import CORRECTORS
from attns_plugins.equations import EQUATIONS
from attns_plugins.methods import METHODS
from attns_plugins.recipes.tableau_lm import TABLEAU_LM

from attns_core import AttnsError, OneStepSolver, Problem
from attns_core.backend import AbstractBackend
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.backends.torch_corrector import CorrectorModule
from attns_core.backends.torch_device import TorchBackend
from attns_core.control import FixedStep
from attns_core.correction import features
from attns_core.dataset import Dataset, make_dataset
from attns_core.diagnostics import feature_jacobian
from attns_core.equation import Equation
from attns_core.fitting import tableau_search
from attns_core.fitting.attentive_model import AttentiveModel, QueryBasis
from attns_core.fitting.learned_tableau import stage_by_stage, starting_nodes
from attns_core.fitting.skeleton import monomials
from attns_core.fitting.step_model import StepModel
from attns_core.fitting.tableau_search import TableauSearch
from attns_core.linearisation import Linearisation
from attns_core.operations import operations
from attns_core.trained_corrector import Layer, TrainedCorrector
from attns_core.training import train
from attns_core.weights import load_weights, save_weights

METHOD: dict[str, Any] = {m.name: m for m in METHODS}
EQUATION: dict[str, Equation] = {e.name: e for e in EQUATIONS}
CORRECTOR = {c.name: c for c in CORRECTORS}
ATTENTIVE = CORRECTOR["tableau-attention"]
PENDULUM = EQUATION["k-link-pendulum"].with_params(amplitude=np.pi / 16)
BACKENDS: list[AbstractBackend] = [NumbaBackend(), TorchBackend(name="torch-cpu", device="cpu")]


def some_queries(
    method: Any, dim: int, queries: int, *, degree: int = 2, own: bool = False, limited: bool = False
) -> TrainedCorrector:
    """Random weights, of all components or each its own, opened by random polynomials."""
    rng, s = np.random.default_rng(3), method.tableau.stages
    tableau = 0.02 * rng.standard_normal((1 + queries, s + 1, s, dim if own else 1)) * np.ones(dim)
    exponents = monomials(dim, degree)
    size = dim + (0 if exponents is None else len(exponents))
    weight, bias = rng.standard_normal((queries, size)) / size, rng.standard_normal(queries)
    return TrainedCorrector(
        input="u",
        mean=0.1 * rng.standard_normal(dim),
        scale=0.5 + rng.random(dim),
        layers=(Layer(weight=weight, bias=bias, activation="identity", shape=np.empty(0)),),
        exponents=exponents,
        linear=False,
        lower=np.full(dim, -0.1) if limited else None,
        upper=np.full(dim, 0.1) if limited else None,
        tableau=tableau * np.tril(np.ones((s + 1, s)), -1)[:, :, None],
    )


def states(backend: AbstractBackend, problem: Problem, method: Any, corrector: Any, dt: float, dtype: str) -> Any:
    return backend.prepare(problem, method, FixedStep(dt), corrector, dtype)().u


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda b: b.name)
@pytest.mark.parametrize(
    ("equation", "method", "dt", "n", "options"),
    [
        ("k-link-pendulum", "dop853-twice", 0.05, 70, {"queries": 2}),
        # Rows are summed in pairs: an odd number of them.
        ("k-link-pendulum", "verner9", 0.05, 9, {"queries": 3, "limited": True}),
        ("lorenz-63", "rk4", 0.01, 37, {"queries": 1, "own": True, "limited": True}),
        ("driven-oscillator", "dopri5", 0.1, 1, {"queries": 4, "degree": 1}),
        ("van-der-pol", "bs3", 0.05, 200, {"queries": 1, "degree": 3}),
    ],
)
def test_every_backend_takes_the_reference_step(
    backend: AbstractBackend, equation: str, method: str, dt: float, n: int, options: dict[str, Any]
) -> None:
    problem = Problem.sample(EQUATION[equation], n=n, seed=1, t_end=10 * dt, save_every=5 * dt)
    corrector = some_queries(METHOD[method], problem.equation.dim, **options)
    expected = states(NumpyBackend(), problem, METHOD[method], corrector, dt, "float64")
    found = states(backend, problem, METHOD[method], corrector, dt, "float64")
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-11)
    shut = replace(corrector, tableau=corrector.tableau[:1], layers=(), exponents=None)  # pyright: ignore[reportOptionalSubscript]
    constant = states(NumpyBackend(), problem, METHOD[method], shut, dt, "float64")
    assert np.abs(expected - constant).max() > 1e-4
    single = states(backend, problem, METHOD[method], corrector, dt, "float32")
    np.testing.assert_allclose(single, expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("lanes", [1, 5, 8, 24, 48])
@pytest.mark.parametrize("vector_bits", [128, 512])
def test_blocks_and_vectors_of_any_length_take_the_same_steps(lanes: int, vector_bits: int) -> None:
    problem = Problem.sample(EQUATION["lorenz-63"], n=50, seed=1, t_end=0.1, save_every=0.05)
    corrector = some_queries(METHOD["rk4"], 3, 2)
    expected = states(NumbaBackend(), problem, METHOD["rk4"], corrector, 0.01, "float64")
    backend = NumbaBackend(lanes=lanes, vector_bits=vector_bits)
    np.testing.assert_array_equal(states(backend, problem, METHOD["rk4"], corrector, 0.01, "float64"), expected)


def test_weights_are_those_of_the_features() -> None:
    """A step is the constant tableau's with the weights that the state opens."""
    corrector = some_queries(METHOD["rk4"], 4, 2)
    problem = Problem.sample(PENDULUM, n=5, t_end=0.1, save_every=0.1)
    phi = features(corrector, problem.u0)
    np.testing.assert_array_equal(phi[0], 1)
    found = states(NumpyBackend(), problem, METHOD["rk4"], corrector, 0.1, "float64")[1]
    for i in range(5):
        assert corrector.tableau is not None
        tableau = np.tensordot(phi[:, i], corrector.tableau, 1)[None]
        alone = TrainedCorrector(input="u", mean=np.zeros(4), scale=np.ones(4), linear=False, tableau=tableau)
        one = replace(problem, u0=problem.u0[:, i : i + 1])
        expected = states(NumpyBackend(), one, METHOD["rk4"], alone, 0.1, "float64")[1]
        np.testing.assert_allclose(found[:, i : i + 1], expected, rtol=1e-13, atol=1e-14)


@pytest.fixture(scope="module")
def pairs() -> Dataset:
    return make_dataset(PENDULUM, METHOD["rk4"], 0.1, trajectories=20, t_end=4.0)


@pytest.mark.parametrize("blocks", [1, 2, None])
def test_derivatives_by_weights_and_queries(blocks: int | None) -> None:
    data = make_dataset(EQUATION["driven-oscillator"], METHOD["dopri5"], 0.2, trajectories=40, t_end=2.0)
    weight = np.random.default_rng(2).uniform(0.5, 2.0, data.n)
    step = StepModel(data, Linearisation(data.equation), weight, blocks)
    model = AttentiveModel(step, QueryBasis.of(data.u[:, ::3], 2), 2)
    weights = model.begun(stage_by_stage(step, starting_nodes(step, 0.5)), seed=1)
    np.testing.assert_allclose(model.residuals(weights), step.residuals(weights[0][0]), atol=1e-13)
    x = model.packed(weights)
    assert x.size == model.n_unknowns
    x = x + 0.01 * np.random.default_rng(5).standard_normal(x.size)
    np.testing.assert_allclose(model.packed(model.unpacked(x)), x, rtol=1e-13)
    derivatives = model.linearised(model.unpacked(x))
    residuals, jacobian = derivatives.residuals, np.stack([derivatives.times(e) for e in np.eye(x.size)], axis=1)

    def at(x: Any) -> Any:
        return model.residuals(model.unpacked(x)).T.ravel()

    np.testing.assert_allclose(residuals, at(x), atol=1e-13)
    np.testing.assert_allclose(model.loss(model.unpacked(x)), np.mean(residuals**2), rtol=1e-12)
    np.testing.assert_allclose(derivatives.square(), jacobian.T @ jacobian, rtol=1e-9, atol=1e-11)
    r = np.random.default_rng(6).standard_normal(residuals.size)
    np.testing.assert_allclose(derivatives.transposed(r), jacobian.T @ r, rtol=1e-9, atol=1e-11)
    for i in range(0, x.size, 5):
        h = np.zeros_like(x)
        h[i] = 1e-5
        np.testing.assert_allclose(jacobian[:, i], (at(x + h) - at(x - h)) / 2e-5, rtol=1e-5, atol=1e-7)


def test_the_models_step_is_the_solvers() -> None:
    data = make_dataset(PENDULUM, METHOD["dopri5"], 0.2, trajectories=5, t_end=1.0)
    step = StepModel(data, Linearisation(PENDULUM), blocks=1)
    model = AttentiveModel(step, QueryBasis.of(data.u[:, ::2], 2), 2)
    x = model.packed(model.begun(stage_by_stage(step, starting_nodes(step, 0.5)), seed=1))
    weights = model.unpacked(x + 0.01 * np.random.default_rng(5).standard_normal(x.size))
    problem = Problem(equation=PENDULUM, u0=data.u, t_save=np.array([0.0, 0.2]))
    stepped = states(NumpyBackend(), problem, METHOD["dopri5"], model.trained(weights), 0.2, "float64")[1]
    np.testing.assert_allclose(stepped - data.u, step.forward(model.combined(weights))[0], atol=1e-13)


def test_it_learns_more_than_weights_that_are_the_same_everywhere(pairs: Dataset) -> None:
    recipe = TABLEAU_LM.with_options(blocks=(1,), starts=1, rounds=2, query_rounds=3)
    texts: list[str] = []
    constant = recipe.fit(CORRECTOR["tableau"], pairs, seed=1)
    attentive = recipe.fit(ATTENTIVE, pairs, seed=1, progress=lambda _, text: texts.append(text))
    again = recipe.fit(ATTENTIVE, pairs, seed=1)
    assert attentive.trained.is_attentive
    assert not constant.trained.is_attentive
    assert attentive.held_out is not None
    assert constant.held_out is not None
    assert attentive.held_out < constant.held_out / 3
    np.testing.assert_array_equal(attentive.trained.tableau, again.trained.tableau)
    np.testing.assert_array_equal(attentive.trained.layers[0].weight, again.trained.layers[0].weight)
    assert any("shared weights, 2 queries" in text for text in texts)


@pytest.mark.parametrize(("worth", "rounds"), [(0.0, 2), (10.0, 5)], ids=["all are poor", "none is"])
def test_queries_are_trained_until_two_rounds_in_a_row_gain_little(
    pairs: Dataset, monkeypatch: pytest.MonkeyPatch, worth: float, rounds: int
) -> None:
    monkeypatch.setattr(tableau_search, "_WORTH", worth)
    search = TableauSearch(pairs, Linearisation(PENDULUM), pairs=200, seed=0)
    search.ask(1, degree=2, blocks=1)
    search.run(blocks=(1,), starts=1, rounds=1, iterations=2)
    seen: list[str] = []
    assert not search.attend(rounds=5, iterations=1, report=lambda title, *_: seen.append(title))
    assert len(seen) == rounds


def test_rollouts_gain_what_steps_gain_and_weights_are_kept(tmp_path: Path) -> None:
    recipe = TABLEAU_LM.with_options(blocks=(1,), starts=1, rounds=2, query_rounds=3)
    problem = Problem.sample(PENDULUM, n=64, seed=9, t_end=4.0, save_every=1.0)
    exact = states(NumbaBackend(), problem, METHOD["dop853"], None, 0.01, "float64")

    def trained(corrector: Any) -> Any:
        return train(PENDULUM, METHOD["rk4"], corrector, recipe, dt=0.1, trajectories=40, t_end=4.0)

    def error(corrector: Any) -> float:
        u = states(NumbaBackend(), problem, METHOD["rk4"], corrector, 0.1, "float64")
        return float(np.sqrt(np.mean((u - exact) ** 2)))

    attentive = trained(ATTENTIVE.with_options(margin=0.2))
    assert attentive.corrector.lower is not None
    assert error(attentive.corrector) < error(trained(CORRECTOR["tableau"]).corrector) / 2
    save_weights(tmp_path / "weights", attentive)
    loaded = load_weights(tmp_path / "weights", equation=PENDULUM, method=METHOD["rk4"], dt=0.1).corrector
    np.testing.assert_array_equal(
        states(NumbaBackend(), problem, METHOD["rk4"], loaded, 0.1, "float64"),
        states(NumbaBackend(), problem, METHOD["rk4"], attentive.corrector, 0.1, "float64"),
    )


def test_a_module_holds_it_without_loss() -> None:
    trained = some_queries(METHOD["rk4"], 4, 2, limited=True)
    module = CorrectorModule.from_trained(trained)
    assert module.is_attentive
    u = 0.3 * np.random.default_rng(0).standard_normal((4, 7))
    np.testing.assert_allclose(
        module.features(torch.tensor(u)).detach().numpy(), features(trained, u), rtol=1e-12, atol=1e-12
    )
    back = module.to_trained()
    for name in ("mean", "scale", "lower", "upper", "tableau", "exponents"):
        np.testing.assert_array_equal(getattr(back, name), getattr(trained, name))
    np.testing.assert_array_equal(back.layers[0].weight, trained.layers[0].weight)


def test_derivatives_of_the_features() -> None:
    trained, u = some_queries(METHOD["rk4"], 4, 2, degree=3), np.random.default_rng(0).standard_normal((4, 7))
    slopes = feature_jacobian(trained, u)
    for i, h in enumerate(1e-6 * np.eye(4)):
        change = features(trained, u + h[:, None]) - features(trained, u - h[:, None])
        np.testing.assert_allclose(slopes[:, :, i], change.T / 2e-6, rtol=1e-6, atol=1e-8)


def test_operations_and_weights_are_counted() -> None:
    problem = Problem.sample(PENDULUM, n=3, t_end=1.0)
    trained = some_queries(METHOD["rk4"], 4, 2)
    assert trained.tableau is not None
    constant = replace(trained, tableau=trained.tableau[:1], layers=(), exponents=None)

    def count(corrector: Any) -> float:
        solver = OneStepSolver(method=METHOD["rk4"], backend=NumpyBackend(), corrector=corrector)
        solution = solver.prepare(problem, FixedStep(0.1))()
        return float(operations(problem, METHOD["rk4"], FixedStep(0.1), corrector, solution)[0])

    # 4 components standardised, 10 products of two, 2 queries of 14 terms; 2 queries on 10 weights for all components.
    assert count(trained) - count(constant) == 10 * (2 * 4 + 10 + 2 * 2 * 14 + 2 * 2 * 10)
    assert trained.n_weights == 3 * 10 * 4 + 2 * 14 + 2
    assert trained.n_features == 3


def test_what_cannot_be_is_refused_in_words(pairs: Dataset) -> None:
    trained = some_queries(METHOD["rk4"], 4, 2)
    with pytest.raises(AttnsError, match="a learned tableau with queries has no term besides"):
        replace(trained, offset=np.zeros((3, 4)))
    with pytest.raises(AttnsError, match="one layer of identities on the state"):
        replace(trained, linear=True)
    with pytest.raises(AttnsError, match="one layer of identities on the state"):
        replace(trained, layers=(replace(trained.layers[0], activation="tanh"),))
    with pytest.raises(AttnsError, match=r"queries must be at least 0, and more only with tableau, got -1"):
        ATTENTIVE.with_options(queries=-1)
    with pytest.raises(AttnsError, match=r"queries must be at least 0, and more only with tableau, got 2"):
        CORRECTOR["neurvec"].with_options(queries=2)
    with pytest.raises(AttnsError, match=r"queries read the state that a step begins at \(input 'u'\), got 'S'"):
        ATTENTIVE.with_options(input="S")
    with pytest.raises(AttnsError, match="margin limit a term, and a learned tableau has none"):
        ATTENTIVE.with_options(margin=0.1, queries=0)
    with pytest.raises(AttnsError, match="clip limit a term, and a learned tableau has none"):
        ATTENTIVE.with_options(clip=0.1)
    with pytest.raises(AttnsError, match="600 queries of 14 coefficients on 10 weights have 14410 unknowns, too many"):
        TABLEAU_LM.with_options(starts=1, rounds=1, blocks=(1,)).fit(ATTENTIVE.with_options(queries=600), pairs, seed=0)
    with pytest.raises(AttnsError, match="query_rounds must be at least 1, got 0"):
        TABLEAU_LM.with_options(query_rounds=0)
