"""Weights: what is loaded is what was saved, for the problem it was saved for, or an error that says why not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attns_plugins.correctors import CORRECTORS
from attns_plugins.equations.henon_heiles import HENON_HEILES
from attns_plugins.equations.spring_chain import SPRING_CHAIN
from attns_plugins.methods.euler import EULER
from attns_plugins.methods.rk4 import RK4
from attns_plugins.recipes.lsq import LSQ

from attns_core import AttnsError
from attns_core.correction import correction
from attns_core.training import Trained, train
from attns_core.weights import ARRAYS, METADATA, load_weights, save_weights

CHAIN = SPRING_CHAIN.with_params(n=2)


@pytest.fixture(scope="module", params=["stage-attention", "poly", "neurvec"])
def trained(request: Any) -> Trained:
    corrector = next(c for c in CORRECTORS if c.name == request.param)
    recipe = LSQ.with_options(bandwidths=(0.5,))
    small = corrector.with_options(width=6, degree=2, clip=2.0)
    return train(CHAIN, RK4, small, recipe, dt=0.2, trajectories=3, t_end=4.0)


def test_round_trip_is_exact(tmp_path: Path, trained: Trained) -> None:
    save_weights(tmp_path, trained)
    loaded = load_weights(tmp_path, equation=CHAIN, method=RK4, dt=0.2)
    rng = np.random.default_rng(0)
    u, S, k = rng.normal(size=(4, 7)), rng.normal(size=(4, 7)), rng.normal(size=(4, 4, 7))
    np.testing.assert_array_equal(
        correction(loaded.corrector, u, S, k, 0.2), correction(trained.corrector, u, S, k, 0.2)
    )
    assert loaded.corrector.active == trained.corrector.active
    assert loaded.metadata["held_out_relative_error"] == trained.metadata["held_out_relative_error"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"equation": HENON_HEILES}, "equation 'spring-chain', wanted 'henon-heiles'"),
        ({"equation": CHAIN.with_params(k=[5.0, 5.0, 4.0])}, "parameter k="),
        ({"equation": SPRING_CHAIN.with_params(n=3)}, "4 components, wanted 6"),
        ({"method": EULER}, "method 'rk4', wanted 'euler'"),
        ({"dt": 0.1}, "dt=0.2, wanted 0.1"),
    ],
)
def test_weights_for_another_problem_are_refused(
    tmp_path: Path, trained: Trained, wanted: dict[str, Any], message: str
) -> None:
    save_weights(tmp_path, trained)
    with pytest.raises(AttnsError, match=message):
        load_weights(tmp_path, **wanted)


def test_truncated_and_altered_files_are_refused(tmp_path: Path, trained: Trained) -> None:
    save_weights(tmp_path, trained)
    arrays = (tmp_path / ARRAYS).read_bytes()
    (tmp_path / ARRAYS).write_bytes(arrays[:-16])
    with pytest.raises(AttnsError, match="truncated or not safetensors"):
        load_weights(tmp_path)
    (tmp_path / ARRAYS).write_bytes(arrays[:-1] + bytes([arrays[-1] ^ 1]))
    with pytest.raises(AttnsError, match="do not match their hash"):
        load_weights(tmp_path)
    (tmp_path / ARRAYS).write_bytes(arrays)
    metadata = json.loads((tmp_path / METADATA).read_text())
    metadata["dt"] = 0.1
    (tmp_path / METADATA).write_text(json.dumps(metadata))
    with pytest.raises(AttnsError, match="metadata do not match"):
        load_weights(tmp_path)
    (tmp_path / METADATA).write_text("{")
    with pytest.raises(AttnsError, match="not readable as JSON"):
        load_weights(tmp_path)
    (tmp_path / METADATA).unlink()
    with pytest.raises(AttnsError, match="is missing"):
        load_weights(tmp_path)
    assert (tmp_path / ARRAYS).read_bytes() == arrays
