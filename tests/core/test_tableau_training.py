"""Training of learned tableaus: derivatives that are right, searches that keep the best, fits that pay."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attns_plugins.correctors import CORRECTORS
from attns_plugins.equations import EQUATIONS
from attns_plugins.methods import METHODS
from attns_plugins.recipes.lsq import LSQ
from attns_plugins.recipes.tableau_lm import TABLEAU_LM
from attns_plugins.recipes.varpro_lm import VARPRO_LM

from attns_core import AttnsError, Problem
from attns_core.backend import AbstractBackend
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.control import FixedStep
from attns_core.dataset import Dataset, make_dataset
from attns_core.equation import Equation
from attns_core.fitting import levenberg_marquardt, tableau_search
from attns_core.fitting.learned_tableau import drawn, stage_by_stage, starting_nodes
from attns_core.fitting.levenberg_marquardt import DAMPING, improved
from attns_core.fitting.step_model import StepModel
from attns_core.fitting.tableau_search import TableauSearch
from attns_core.linearisation import Linearisation
from attns_core.trained_corrector import TrainedCorrector
from attns_core.training import train
from attns_core.weights import load_weights, read_arrays, save_weights, write_arrays

METHOD: dict[str, Any] = {m.name: m for m in METHODS}
EQUATION: dict[str, Equation] = {e.name: e for e in EQUATIONS}
TABLEAU = next(c for c in CORRECTORS if c.tableau)
PENDULUM = EQUATION["k-link-pendulum"].with_params(amplitude=np.pi / 16)


def stepped(backend: AbstractBackend, problem: Problem, method: str, corrector: Any, dt: float) -> Any:
    return backend.prepare(problem, METHOD[method], FixedStep(dt), corrector, "float64")().u


@pytest.mark.parametrize("name", ["driven-oscillator", "k-link-pendulum", "lotka-volterra"])
def test_linearisations_are_the_right_hand_side_and_its_derivatives(name: str) -> None:
    equation = EQUATION[name]
    lin = Linearisation(equation)
    u, t = equation.initial_states(3, 21), np.linspace(0, 2, 21)
    np.testing.assert_allclose(lin.rhs(t, u), equation.evaluate(t, u), rtol=1e-12, atol=1e-12)
    v = np.random.default_rng(1).standard_normal(u.shape)
    slope = (lin.rhs(t, u + 1e-6 * v) - lin.rhs(t, u - 1e-6 * v)) / 2e-6
    np.testing.assert_allclose(np.einsum("nij,jn->in", lin.jacobian(t, u), v), slope, rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def pairs() -> Dataset:
    return make_dataset(PENDULUM, METHOD["rk4"], 0.1, trajectories=20, t_end=4.0)


@pytest.mark.parametrize("blocks", [None, 1, 2])
@pytest.mark.parametrize(("equation", "method"), [("driven-oscillator", "dopri5"), ("lorenz-63", "rk4")])
def test_derivatives_by_the_weights(equation: str, method: str, blocks: int | None) -> None:
    data = make_dataset(EQUATION[equation], METHOD[method], 0.2, trajectories=3, t_end=2.0)
    weight = np.random.default_rng(2).uniform(0.5, 2.0, data.n)
    model = StepModel(data, Linearisation(data.equation), weight, blocks)
    x = model.packed(stage_by_stage(model, starting_nodes(model, 0.5)))
    assert x.size == model.n_weights
    np.testing.assert_allclose(model.packed(model.unpacked(x)), x, rtol=1e-15)
    derivatives = model.linearised(model.unpacked(x))
    residuals, jacobian = derivatives.residuals, derivatives.J

    def at(x: Any) -> Any:
        return model.residuals(model.unpacked(x)).T.ravel()

    np.testing.assert_allclose(residuals, at(x), atol=1e-14)
    for i in range(0, x.size, 7):
        h = np.zeros_like(x)
        h[i] = 1e-5
        np.testing.assert_allclose(jacobian[:, i], (at(x + h) - at(x - h)) / 2e-5, rtol=1e-5, atol=1e-8)


def test_the_models_step_is_the_solvers(pairs: Dataset) -> None:
    """What is trained is what backends do, unused stages of an embedded pair included."""
    data = make_dataset(PENDULUM, METHOD["dopri5"], 0.2, trajectories=5, t_end=1.0)
    model = StepModel(data, Linearisation(PENDULUM))
    rows = stage_by_stage(model, starting_nodes(model, 0.5))
    added = model.added(rows)[None]
    corrector = TrainedCorrector(input="u", mean=np.zeros(4), scale=np.ones(4), linear=False, tableau=added)
    problem = Problem(equation=PENDULUM, u0=data.u, t_save=np.array([0.0, 0.2]))
    found = stepped(NumpyBackend(), problem, "dopri5", corrector, 0.2)[1]
    np.testing.assert_allclose(found - data.u, model.forward(rows)[0], atol=1e-14)
    np.testing.assert_array_equal(model.added(model.bare()), 0)


def test_drawn_pairs_are_the_hard_ones_and_stand_for_all() -> None:
    data = make_dataset(EQUATION["k-link-pendulum"], METHOD["rk4"], 0.1, trajectories=60, t_end=6.0)
    size = np.sqrt(np.mean((data.r / data.scale[:, None]) ** 2, axis=0))
    estimates = []
    for seed in range(20):
        part, weight = drawn(data, np.sqrt(size), 400, seed)
        own = np.sqrt(np.mean((part.r / part.scale[:, None]) ** 2, axis=0))
        assert abs(part.n - 400) < 80
        np.testing.assert_array_equal(part.scale, data.scale)
        assert np.mean(own) > 1.3 * np.mean(size)
        estimates.append(np.mean((weight * own) ** 2))
    assert abs(np.mean(estimates) / np.mean(size**2) - 1) < 0.1
    whole, ones = drawn(data, size, data.n, 0)
    assert whole.n == data.n
    assert (ones == 1).all()


def test_shared_weights_are_one_tableau_for_all_components(pairs: Dataset) -> None:
    recipe = TABLEAU_LM.with_options(blocks=(1, 4), starts=2)
    shared = recipe.fit(TABLEAU.with_options(head="shared"), pairs, seed=1)
    own = recipe.fit(TABLEAU, pairs, seed=1)
    assert shared.trained.tableau is not None
    assert own.trained.tableau is not None
    np.testing.assert_array_equal(np.ptp(shared.trained.tableau, axis=3), 0)
    assert np.ptp(own.trained.tableau, axis=3).max() > 0
    assert shared.held_out is not None
    assert own.held_out is not None
    assert own.held_out < shared.held_out < 0.1


def test_it_learns_more_than_a_term_of_many_units_can(pairs: Dataset) -> None:
    texts: list[str] = []
    recipe = TABLEAU_LM.with_options(blocks=(1, 4), starts=2)
    fit = recipe.fit(TABLEAU, pairs, seed=1, progress=lambda _, text: texts.append(text))
    again = recipe.fit(TABLEAU, pairs, seed=1)
    assert fit.held_out is not None
    np.testing.assert_array_equal(fit.trained.tableau, again.trained.tableau)
    assert fit.curve[-1][2] <= fit.curve[0][2]
    assert any("held-out" in text for text in texts)
    units = LSQ.with_options(bandwidths=(0.1,)).fit(
        next(c for c in CORRECTORS if c.name == "neurvec").with_options(width=16), pairs, seed=1
    )
    assert units.held_out is not None
    assert fit.held_out < 1e-2
    assert fit.held_out < units.held_out / 3


def test_rollouts_gain_what_steps_gain() -> None:
    trained = train(PENDULUM, METHOD["rk4"], TABLEAU, TABLEAU_LM, dt=0.1, trajectories=40, t_end=4.0).corrector
    problem = Problem.sample(PENDULUM, n=64, seed=9, t_end=4.0, save_every=1.0)
    exact = stepped(NumbaBackend(), problem, "dop853", None, 0.01)

    def error(corrector: Any) -> float:
        u = stepped(NumbaBackend(), problem, "rk4", corrector, 0.1)
        return float(np.sqrt(np.mean((u - exact) ** 2)))

    assert error(trained) < error(None) / 8


def test_weights_stored_before_they_could_depend_on_the_state_are_read(tmp_path: Path) -> None:
    recipe = TABLEAU_LM.with_options(blocks=(1,), starts=1, rounds=1, iterations=2)
    now = train(PENDULUM, METHOD["rk4"], TABLEAU, recipe, dt=0.1, trajectories=5, t_end=1.0)
    arrays, metadata = read_arrays(save_weights(tmp_path, now))
    write_arrays(tmp_path, {**arrays, "tableau": arrays["tableau"][0]}, metadata)
    np.testing.assert_array_equal(load_weights(tmp_path).corrector.tableau, now.corrector.tableau)


def test_the_keyboard_ends_training_with_the_best_so_far(pairs: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    model = StepModel(pairs, Linearisation(PENDULUM))
    rows = stage_by_stage(model, starting_nodes(model, 0.5))
    steps = iter(range(100))
    step = levenberg_marquardt._step

    def interrupted(*arguments: Any) -> Any:
        if next(steps) == 3:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(levenberg_marquardt, "_step", interrupted)
    found = improved(model, model, rows, iterations=10)
    assert found.interrupted
    assert model.loss(found.weights) < model.loss(rows)


def test_emphasis_lowers_the_worst_errors_at_the_cost_of_the_typical_ones() -> None:
    data = make_dataset(EQUATION["k-link-pendulum"], METHOD["rk4"], 0.1, trajectories=60, t_end=6.0)
    lin = Linearisation(data.equation)
    sizes = []
    for emphasis in (0.0, 1.0):
        search = TableauSearch(data, lin, pairs=600, emphasis=emphasis, seed=3)
        search.run(blocks=(1, 4), starts=1, rounds=2, iterations=20)
        sizes.append(search.training.sizes(search.rows))
    assert np.median(sizes[0]) < np.median(sizes[1])
    assert np.sort(sizes[0])[-20:].mean() > np.sort(sizes[1])[-20:].mean()
    assert TABLEAU_LM.with_options(emphasis=0.5).identity() != TABLEAU_LM.identity()
    assert TABLEAU_LM.with_options(emphasis=0.5).identity()["emphasis"] == 0.5


def test_blocks_of_neighbours_share_weights_and_halve() -> None:
    data = make_dataset(EQUATION["lorenz-96"].with_params(n=8), METHOD["rk4"], 0.05, trajectories=3, t_end=0.5)
    lin = Linearisation(data.equation)
    rows = stage_by_stage(StepModel(data, lin), starting_nodes(StepModel(data, lin), 0.5))
    for blocks, expected in ((1, 8 * [0]), (2, 4 * [0] + 4 * [1]), (3, [0, 0, 0, 1, 1, 1, 2, 2]), (99, [*range(8)])):
        model = StepModel(data, lin, blocks=blocks)
        np.testing.assert_array_equal(model.block, expected)
        shared = model.unpacked(model.packed(rows))
        for row, own in zip(shared, rows, strict=True):
            for b in range(model.sets):
                mine = model.block == b
                np.testing.assert_allclose(row[:, mine], own[:, mine].mean(axis=1, keepdims=True) + 0 * row[:, mine])


def test_blocks_that_do_not_nest_start_from_what_they_can_share(pairs: Dataset) -> None:
    lin = Linearisation(PENDULUM)
    halves, thirds = (StepModel(pairs, lin, blocks=blocks) for blocks in (2, 3))
    rows = halves.unpacked(halves.packed(stage_by_stage(halves, starting_nodes(halves, 0.5))))
    start = thirds.unpacked(thirds.packed(rows))
    untouched = improved(thirds, thirds, rows, iterations=0).weights
    for found, expected in zip(untouched, start, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert thirds.loss(improved(thirds, thirds, rows, iterations=3).weights) < thirds.loss(start)


def test_searches_keep_the_best_start_and_stop_when_rounds_are_worth_nothing(pairs: Dataset) -> None:
    lin = Linearisation(PENDULUM)
    seen: list[str] = []
    search = TableauSearch(pairs, lin, pairs=10**6, seed=0)
    assert search.held_out_loss == search.bare
    assert not search.run(blocks=(1,), starts=2, rounds=1, iterations=5, report=lambda title, *_: seen.append(title))
    assert seen == 15 * ["shared weights"]
    alone = []
    for start in range(2):
        one = TableauSearch(pairs, lin, pairs=10**6, seed=0)
        one._drawn = start
        rows = stage_by_stage(one._models(1, 10**6)[0], starting_nodes(one.training, tableau_search._CLUSTERED[start]))
        one._round(*one._models(1, 10**6), one.training.unpacked(one.training.packed(rows)), 5, DAMPING, None)
        alone.append(one.held_out_loss)
    assert search.held_out_loss < min(alone)
    stuck = TableauSearch(pairs, lin, pairs=10**6, seed=0)
    seen.clear()
    stuck.run(blocks=(1,), starts=1, rounds=50, iterations=20, report=lambda title, *_: seen.append(title))
    assert len(seen) < 50 * 20


def test_training_starts_where_the_methods_own_step_leaves_the_numbers() -> None:
    """Steps for learned tableaus are longer than those their method could take."""
    data = make_dataset(EQUATION["lorenz-63"], METHOD["rk4"], 0.02, trajectories=8, t_end=0.4)
    search = TableauSearch(data, Linearisation(data.equation), pairs=50, seed=0)
    wild = [1e200 * row for row in search.rows]
    search.rows, search.bare, search.held_out_loss = wild, np.inf, np.inf
    assert not np.isfinite(search.training.sizes(wild)).all()
    assert search.training.loss(wild) == np.inf
    search.run(blocks=(1,), starts=1, rounds=1, iterations=5)
    assert search.held_out_loss < 1e-4


def test_trainings_that_cannot_be_are_refused_in_words(pairs: Dataset) -> None:
    with pytest.raises(AttnsError, match="is a learned tableau and has no features to fit"):
        LSQ.fit(TABLEAU, pairs, seed=0)
    with pytest.raises(AttnsError, match="no features to fit"):
        VARPRO_LM.fit(TABLEAU, pairs, seed=0)
    with pytest.raises(AttnsError, match="use its recipe 'varpro-lm'"):
        TABLEAU_LM.fit(next(c for c in CORRECTORS if c.name == "stage-attention"), pairs, seed=0)
    chain = make_dataset(EQUATION["spring-chain"], METHOD["dop853"], 0.5, trajectories=2, t_end=1.0)
    with pytest.raises(AttnsError, match="3120 weights of dop853 on 40 components are too many"):
        TABLEAU_LM.with_options(blocks=(1, 40)).fit(TABLEAU, chain, seed=0)
    with pytest.raises(AttnsError, match=r"blocks must be numbers of at least 1, each larger.*got \(2, 1\)"):
        TABLEAU_LM.with_options(blocks=[2, 1])
    with pytest.raises(AttnsError, match="emphasis must be between 0 and 1, got 2"):
        TABLEAU_LM.with_options(emphasis=2)
    with pytest.raises(AttnsError, match="rounds must be at least 1, got 0"):
        TABLEAU_LM.with_options(rounds=0)
