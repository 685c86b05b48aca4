"""Correctors trained step by step: on predicted states, for any base method, stored and loaded whole."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attns_plugins.correctors.neurvec import NEURVEC
from attns_plugins.equations.robertson import ROBERTSON
from attns_plugins.methods.linearly_implicit_euler import LINEARLY_IMPLICIT_EULER
from attns_plugins.methods.rodas5p import RODAS5P
from attns_plugins.methods.zero import ZERO
from attns_plugins.recipes.lsq import LSQ
from attns_plugins.recipes.varpro_lm import VARPRO_LM

from attns_core import Adaptive, AttnsError, OneStepSolver, Problem, solve
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.corrector_sequence import CorrectorSequence
from attns_core.sequence_training import Transients, follow_transients, train_sequence
from attns_core.training import Trained
from attns_core.weights import load_weights, save_weights

SOURCE = OneStepSolver(method=RODAS5P, backend=NumbaBackend())
CONTROL = Adaptive(rtol=1e-9, atol=1e-12)
SMALL = NEURVEC.with_options(width=8, activation="tanh", linear=True, margin=0.5)
QUICK = VARPRO_LM.with_options(iterations=25, bandwidths=(0.25,))
TEST = Problem.sample_log(ROBERTSON, points=5, n=64, seed=[4, 2])


@pytest.fixture(scope="module")
def transients() -> Transients:
    return follow_transients(
        ROBERTSON, t_save=TEST.t_save, steps=1, trajectories=200, source=SOURCE, control=CONTROL, seed=4
    )


@pytest.fixture(scope="module")
def truth() -> Any:
    return solve(TEST, SOURCE, rtol=1e-10, atol=1e-13).u


def error(trained: Trained, method: Any, truth: Any) -> float:
    solver = OneStepSolver(method=method, backend=NumbaBackend(), corrector=trained.corrector)
    got = solve(TEST, solver, steps=1).u
    scale = np.sqrt(np.mean(truth**2, axis=(0, 2)))[:, None]
    return float(np.sqrt(np.mean(((got - truth)[1:] / scale) ** 2)))


def test_five_small_networks_follow_robertson_over_seven_decades(transients: Transients, truth: Any) -> None:
    trained = train_sequence(ZERO, SMALL, QUICK, transients, seed=4)
    assert error(trained, ZERO, truth) < 2e-3
    assert len(trained.metadata["held_out_by_step"]) == 5
    assert trained.metadata["held_out_relative_error"] < 1e-4


def test_direct_regression_on_the_initial_state(transients: Transients, truth: Any) -> None:
    trained = train_sequence(ZERO, SMALL.with_options(input="u0"), QUICK, transients, seed=4)
    assert trained.corrector.input == "u0"  # type: ignore[union-attr]
    assert error(trained, ZERO, truth) < 2e-3


def test_predicted_states_keep_slaved_components_harmless(transients: Transients, truth: Any) -> None:
    """Polynomials trained on exact states amplify the predecessors' errors; on predicted ones they do not."""
    cubic = replace(SMALL, features="polynomial", degree=3, margin=None)
    errors = {
        states: error(train_sequence(ZERO, cubic, LSQ, transients, states=states, seed=4), ZERO, truth)  # type: ignore[arg-type]
        for states in ("predicted", "exact")
    }
    assert errors["predicted"] < 5e-3
    assert not errors["exact"] < 3 * errors["predicted"]


def test_implicit_base_increments(transients: Transients, truth: Any) -> None:
    """From the slaved states on, linearly implicit Euler is a good guess; its correction removes the rest."""
    trained = train_sequence(LINEARLY_IMPLICIT_EULER, SMALL.with_options(input="uS"), QUICK, transients, seed=4)
    bare = solve(TEST, OneStepSolver(method=LINEARLY_IMPLICIT_EULER, backend=NumbaBackend()), steps=1).u
    scale = np.sqrt(np.mean(truth**2, axis=(0, 2)))[:, None]
    without = np.sqrt(np.mean(((bare - truth)[1:] / scale) ** 2))
    assert error(trained, LINEARLY_IMPLICIT_EULER, truth) < 0.1 * without


def test_auto_chooses_one_input_for_all_steps(transients: Transients) -> None:
    trained = train_sequence(
        ZERO,
        replace(SMALL, input="auto", candidates=("u", "S")),
        LSQ.with_options(bandwidths=(0.25,)),
        transients,
        seed=4,
    )
    assert trained.metadata["input"] == "u"


def test_weights_of_a_sequence_are_stored_whole(tmp_path: Path, transients: Transients) -> None:
    trained = train_sequence(ZERO, SMALL, LSQ.with_options(bandwidths=(0.25,)), transients, seed=4)
    save_weights(tmp_path, trained)
    loaded = load_weights(tmp_path, equation=ROBERTSON, method=ZERO)
    assert isinstance(loaded.corrector, CorrectorSequence)
    runs = [
        solve(TEST, OneStepSolver(method=ZERO, backend=NumbaBackend(), corrector=t.corrector), steps=1).u
        for t in (trained, loaded)
    ]
    np.testing.assert_array_equal(*runs)
    with pytest.raises(AttnsError, match=r"a sequence of steps, wanted dt=0\.1"):
        load_weights(tmp_path, equation=ROBERTSON, method=ZERO, dt=0.1)


def test_faults_name_the_step(transients: Transients) -> None:
    still = replace(transients, u=np.repeat(transients.u[:1], 6, axis=0))
    with pytest.raises(AttnsError, match=r"step 0 of 5 \(t=0\).*no residual"):
        train_sequence(ZERO, SMALL, LSQ, still)
    with pytest.raises(AttnsError, match="'predicted' or 'exact', got 'true'"):
        train_sequence(ZERO, SMALL, LSQ, transients, states="true")  # type: ignore[arg-type]
    with pytest.raises(AttnsError, match="loses training trajectory"):
        follow_transients(
            ROBERTSON,
            t_save=TEST.t_save,
            steps=1,
            trajectories=3,
            source=SOURCE,
            control=Adaptive(rtol=1e-9, atol=1e-12, max_steps=5),
        )
