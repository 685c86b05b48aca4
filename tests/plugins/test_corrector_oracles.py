"""What is known exactly about corrected steps, whoever trains them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from attns_plugins.correctors import CORRECTORS
from attns_plugins.equations.elastic_pendulum import ELASTIC_PENDULUM
from attns_plugins.equations.henon_heiles import HENON_HEILES
from attns_plugins.equations.spring_chain import SPRING_CHAIN
from attns_plugins.methods import METHODS
from attns_plugins.recipes.lsq import LSQ

from attns_core import AttnsError, Problem
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.control import FixedStep
from attns_core.correction import correction
from attns_core.corrector import Corrector
from attns_core.dataset import make_dataset
from attns_core.diagnostics import lipschitz, out_of_range, term_jacobian, trajectories_out_of_range
from attns_core.fitting.skeleton import skeleton, spread_stages, value_matrix
from attns_core.flow import step_increment
from attns_core.trained_corrector import TrainedCorrector
from attns_core.training import train

METHOD: dict[str, Any] = {m.name: m for m in METHODS}
CORRECTOR = {c.name: c for c in CORRECTORS}


def chain_matrix() -> Any:
    return SPRING_CHAIN.evaluate(0.0, np.eye(SPRING_CHAIN.dim))


@pytest.mark.parametrize("method", ["euler", "rk4"])
@pytest.mark.parametrize("block", ["S", "u"])
def test_the_exact_linear_corrector_is_recovered_from_41_pairs(method: str, block: str) -> None:
    """In 40 dimensions 41 pairs determine it: the corrected step is the matrix exponential to round-off."""
    from scipy.linalg import expm

    data = make_dataset(SPRING_CHAIN, METHOD[method], 0.2, trajectories=52, t_end=0.2)
    linear = CORRECTOR["linear"].with_options(input=block)
    training = data.take(np.flatnonzero(~data.held_out)[:41].tolist() + np.flatnonzero(data.held_out)[:4].tolist())
    assert int((~training.held_out).sum()) == 41
    # Fitted without the held-out pairs, so that exactly 41 pairs decide; these only choose the ridge.
    from attns_core.fitting.heads import fit_heads

    features = skeleton(linear, training, block, bandwidth=1.0, seed=0)
    assert fit_heads(linear, features, training).held_out < 1e-22
    trained = LSQ.fit(linear, training, seed=0).trained
    u = np.random.default_rng(5).uniform(-2.5, 2.5, (40, 20))
    S, k = step_increment(SPRING_CHAIN, METHOD[method], 0.0, u, 0.2)
    exact = expm(0.2 * chain_matrix()) @ u
    assert np.abs(u + S + correction(trained, u, S, k, 0.2) - exact).max() < 1e-11


def test_euler_explodes_on_the_chain_and_rk4_does_not() -> None:
    Z = 0.2 * chain_matrix()
    step = np.eye(40) + Z
    assert np.abs(np.linalg.eigvals(step)).max() > 1.3
    rk4 = np.eye(40) + Z @ (np.eye(40) + Z / 2 @ (np.eye(40) + Z / 3 @ (np.eye(40) + Z / 4)))
    assert np.abs(np.linalg.eigvals(rk4)).max() < 1.0 + 1e-6


def test_multiplicative_targets_blow_up_at_turning_points_and_additive_ones_do_not() -> None:
    data = make_dataset(ELASTIC_PENDULUM, METHOD["rk4"], 0.1, trajectories=5)
    factor, term = np.abs(data.r / data.S), np.abs(data.r)
    ratio = np.max(factor, axis=1) / np.median(factor, axis=1)
    assert ratio.max() > 1e3
    assert (np.max(term, axis=1) / np.median(term, axis=1)).max() < 1e2
    fits = {name: LSQ.fit(CORRECTOR[name], data, seed=0).curve[-1][2] for name in ("attns", "attns-m")}
    assert fits["attns-m"] > 100 * fits["attns"]


def test_the_increment_alone_fails_where_it_does_not_determine_the_state() -> None:
    """On Henon-Heiles det df = 1 - 4 (x^2 + y^2) vanishes inside the domain."""
    data = make_dataset(HENON_HEILES, METHOD["rk4"], 0.5, trajectories=20)
    errors = {
        block: LSQ.fit(CORRECTOR["attns"].with_options(input=block, width=128), data, seed=0).held_out
        for block in ("S", "uS")
    }
    assert errors["S"] is not None
    assert errors["uS"] is not None
    assert errors["S"] > 1e-4
    assert errors["uS"] < 1e-3 * errors["S"]


@pytest.mark.parametrize("name", sorted(n for n, c in CORRECTOR.items() if not c.tableau))
def test_a_zero_corrector_is_the_bare_method_bit_for_bit(name: str) -> None:
    corrector = CORRECTOR[name].with_options(width=8, input="S" if name.startswith("attns") else "u")
    method = METHOD["rk4"]
    data = make_dataset(HENON_HEILES, method, 0.5, trajectories=2, t_end=5.0)
    start = skeleton(corrector, data, corrector.input, bandwidth=1.0, seed=0)
    n_values = 0 if start.values is None else len(start.values)
    zero = replace(
        start,
        offset=np.zeros((start.n_features, 4)) if corrector.offset else None,
        weights=np.zeros((start.n_features, n_values, 4)) if n_values else None,
    )
    problem = Problem.sample(HENON_HEILES, n=5, t_end=10.0, save_every=0.5)

    def run(term: TrainedCorrector | None) -> Any:
        return NumpyBackend().prepare(problem, method, FixedStep(0.5), term, "float64")().u

    np.testing.assert_array_equal(run(zero), run(None))


def test_perturbations_grow_at_most_by_the_stated_bound() -> None:
    """One AttNS step: 1 + L_S (1 + L_Q); on the linear chain L_S is the norm of the increment's matrix."""
    chain, method = SPRING_CHAIN.with_params(n=3), METHOD["rk4"]
    data = make_dataset(chain, method, 0.2, trajectories=5, t_end=4.0)
    fit = LSQ.with_options(bandwidths=(0.25,)).fit(CORRECTOR["attns"].with_options(width=8), data, seed=0)
    constants = lipschitz(fit.trained, data)
    assert constants["symbol"] == "L_Q"
    assert constants["sampled"] <= constants["bound"]
    L_S = np.linalg.norm(step_increment(chain, method, 0.0, np.eye(6), 0.2)[0], 2)
    rng = np.random.default_rng(1)
    u = data.u[:, :50]
    v = u + 1e-3 * rng.normal(size=u.shape)

    def step(u: Any) -> Any:
        S, k = step_increment(chain, method, 0.0, u, 0.2)
        return u + S + correction(fit.trained, u, S, k, 0.2)

    growth = np.linalg.norm(step(v) - step(u), axis=0) / np.linalg.norm(v - u, axis=0)
    assert growth.max() <= 1 + L_S * (1 + constants["bound"])


@pytest.mark.parametrize("activation", ["sine", "tanh", "silu", "rational", "fsnet"])
def test_the_terms_jacobian_is_its_derivative(activation: Any) -> None:
    data = make_dataset(HENON_HEILES, METHOD["rk4"], 0.5, trajectories=2, t_end=5.0)
    corrector = CORRECTOR["stage-attention"].with_options(width=5, depth=2, activation=activation)
    rng = np.random.default_rng(2)
    start = skeleton(corrector, data, "u", bandwidth=0.7, seed=0)
    n = start.n_features
    trained = replace(start, offset=rng.normal(size=(n, 4)), weights=rng.normal(size=(n, 4, 4)))
    jacobian = term_jacobian(trained, data)
    for j in range(4):
        h = np.zeros((4, 1))
        h[j] = 1e-6
        above, below = (correction(trained, data.u + sign * h, data.S, data.k, 0.5) for sign in (1, -1))
        np.testing.assert_allclose(jacobian[:, :, j].T, (above - below) / 2e-6, rtol=1e-5, atol=1e-6)


def test_polynomial_jacobian_too() -> None:
    data = make_dataset(HENON_HEILES, METHOD["rk4"], 0.5, trajectories=2, t_end=5.0)
    start = skeleton(CORRECTOR["poly"].with_options(degree=3), data, "u", bandwidth=1.0, seed=0)
    trained = replace(start, offset=np.random.default_rng(3).normal(size=(start.n_features, 4)))
    h = np.array([[0.0], [1e-6], [0.0], [0.0]])
    above, below = (correction(trained, data.u + sign * h, data.S, data.k, 0.5) for sign in (1, -1))
    np.testing.assert_allclose(term_jacobian(trained, data)[:, :, 1].T, (above - below) / 2e-6, rtol=1e-5, atol=1e-6)


def test_states_outside_the_training_region_are_flagged() -> None:
    trained = train(
        HENON_HEILES,
        METHOD["rk4"],
        CORRECTOR["poly"].with_options(degree=3),
        LSQ,
        dt=0.5,
        trajectories=5,
        t_end=20.0,
    )
    data = make_dataset(HENON_HEILES, METHOD["rk4"], 0.5, trajectories=5, t_end=20.0)
    assert not out_of_range(trained.metadata, data.u, data.S, data.k).any()
    assert out_of_range(trained.metadata, 3 * data.u, data.S, data.k).mean() > 0.5


@pytest.mark.parametrize("block", ["u", "uK"])
def test_trajectories_that_leave_the_training_region_are_flagged(block: str) -> None:
    form = CORRECTOR["attns"].with_options(width=8, input=block)
    trained = train(HENON_HEILES, METHOD["rk4"], form, LSQ, dt=0.5, trajectories=5, t_end=20.0)
    near, far = np.full((4, 1), 0.05), np.full((4, 1), 5.0)
    problem = Problem(equation=HENON_HEILES, u0=np.hstack([near, far, near]), t_save=np.array([0.0, 0.5, 1.0]))
    states = np.stack([problem.u0, problem.u0, problem.u0])
    states[2, 1, 2] = np.nan
    flags = trajectories_out_of_range(trained.metadata, problem, METHOD["rk4"], states)
    np.testing.assert_array_equal(flags, [False, True, True])


def test_values_of_every_method_up_to_dop853() -> None:
    dop853 = METHOD["dop853"]
    assert len(spread_stages(dop853)) == 4
    assert spread_stages(METHOD["rk4"]) == [0, 1, 2, 3]
    matrix = value_matrix("differences", METHOD["rk4"])
    assert matrix is not None
    np.testing.assert_array_equal(matrix.sum(axis=1), 0)
    increment = value_matrix("increment", dop853)
    assert increment is not None
    assert increment.sum() == pytest.approx(1)


def test_clip_bound_and_cap_limit_the_term() -> None:
    def term(**options: Any) -> tuple[Any, Any]:
        base: Corrector = CORRECTOR["poly"].with_options(degree=3, **options)
        trained = train(HENON_HEILES, METHOD["rk4"], base, LSQ, dt=0.5, trajectories=5, t_end=20.0)
        far = 20 * make_dataset(HENON_HEILES, METHOD["rk4"], 0.5, trajectories=5, t_end=20.0).u
        S, k = step_increment(HENON_HEILES, METHOD["rk4"], 0.0, far, 0.5)
        return trained, np.abs(correction(trained.corrector, far, S, k, 0.5)).max(axis=1)

    data = make_dataset(HENON_HEILES, METHOD["rk4"], 0.5, trajectories=5, t_end=20.0)
    limit = 2 * np.abs(data.r).max(axis=1)
    free, reach = term()
    assert (reach > 10 * limit).all()
    for option in ({"clip": 2.0}, {"bound": 2.0}):
        limited, reach = term(**option)
        assert (reach <= limit * (1 + 1e-12)).all()
        assert limited.metadata["held_out_relative_error"] < 0.05
    capped, _ = term(lipschitz=1e-4)
    assert capped.metadata["lipschitz"]["sampled"] < 0.5 * free.metadata["lipschitz"]["sampled"]


@pytest.mark.parametrize("method", ["rodas4", "dopri5", "dop853", "stormer-verlet"])
def test_every_kind_of_method_can_be_corrected(method: str) -> None:
    """Methods without stages take the inputs u and S; the others offer their stages too."""
    data = make_dataset(HENON_HEILES, METHOD[method], 0.5, trajectories=5, t_end=10.0)
    staged = method != "stormer-verlet"
    corrector = CORRECTOR["stage-attention" if staged else "attns"].with_options(width=8, input="auto")
    fit = LSQ.with_options(bandwidths=(0.1,)).fit(corrector, data, seed=0)
    assert fit.held_out is not None
    assert fit.held_out < 0.1
    if not staged:
        with pytest.raises(AttnsError, match="input 'K' needs the stages"):
            LSQ.fit(CORRECTOR["attns"].with_options(input="K"), data, seed=0)
        with pytest.raises(AttnsError, match="has none"):
            LSQ.fit(CORRECTOR["stage-attention"], data, seed=0)
