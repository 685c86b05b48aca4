"""Learned tableaus: the same step on every backend, derivatives that are right, fits that pay, clear refusals."""

from dataclasses import replace
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

from attns_core import AttnsError, ButcherTableau, ExplicitRungeKutta, OneStepSolver, Problem
from attns_core.backend import AbstractBackend
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.backends.torch_device import TorchBackend
from attns_core.control import FixedStep, StepsPerSave
from attns_core.corrector_sequence import CorrectorSequence
from attns_core.dataset import Dataset, make_dataset
from attns_core.equation import Equation
from attns_core.fitting import levenberg_marquardt, tableau_search
from attns_core.fitting.learned_tableau import drawn, stage_by_stage, starting_nodes
from attns_core.fitting.levenberg_marquardt import DAMPING, improved
from attns_core.fitting.step_model import StepModel
from attns_core.fitting.tableau_search import TableauSearch
from attns_core.kernels.stage_arrays import of_blocks
from attns_core.linearisation import Linearisation
from attns_core.operations import operations
from attns_core.trained_corrector import TrainedCorrector
from attns_core.training import train
from attns_core.weights import load_weights, read_arrays, save_weights, write_arrays

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
    stepped = states(NumpyBackend(), problem, METHOD["dopri5"], corrector, 0.2, "float64")[1]
    np.testing.assert_allclose(stepped - data.u, model.forward(rows)[0], atol=1e-14)
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
    exact = states(NumbaBackend(), problem, METHOD["dop853"], None, 0.01, "float64")

    def error(corrector: Any) -> float:
        u = states(NumbaBackend(), problem, METHOD["rk4"], corrector, 0.1, "float64")
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


def test_what_cannot_be_is_refused_in_words(pairs: Dataset) -> None:
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
