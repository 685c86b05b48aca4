"""Variable projection: the gradient is that of the projected loss, and no step of the search raises the loss."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from attns_plugins.correctors import CORRECTORS
from attns_plugins.equations.henon_heiles import HENON_HEILES
from attns_plugins.methods.rk4 import RK4

from attns_core.dataset import Dataset, make_dataset
from attns_core.fitting import varpro
from attns_core.fitting.skeleton import skeleton

FORMS = {c.name: c for c in CORRECTORS}


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make_dataset(HENON_HEILES, RK4, 0.5, trajectories=4)


@pytest.mark.parametrize(
    ("name", "options"),
    [("neurvec", {"linear": True}), ("stage-attention", {"offset": False}), ("stage-attention", {})],
    ids=["one design", "values alone", "values and offset"],
)
def test_normal_equations_are_those_of_the_projected_residuals(
    name: str, options: dict[str, Any], data: Dataset
) -> None:
    corrector = FORMS[name].with_options(width=5, input="u", activation="tanh", **options)
    start = skeleton(corrector, data, "u", bandwidth=1.0, seed=0)
    model = varpro._model(corrector, start, data)
    weight, bias = start.layers[0].weight, start.layers[0].bias

    def loss(w: Any, b: Any) -> float:
        return varpro._evaluate(model, w, b).loss * model.y.size / 2

    state = varpro._evaluate(model, weight, bias)
    normal, gradient = varpro._normal_equations(model, weight, bias, state)
    step = 1e-5
    for i in range(weight.shape[0]):
        for j in range(weight.shape[1] + 1):
            change = np.zeros((weight.shape[0], weight.shape[1] + 1))
            change[i, j] = step
            ends = [loss(weight + s * change[:, :-1], bias + s * change[:, -1]) for s in (1, -1)]
            slope = (ends[0] - ends[1]) / (2 * step)
            assert slope == pytest.approx(gradient[i * change.shape[1] + j], rel=1e-4, abs=1e-6 * abs(gradient).max())
    # Kaufman's Jacobian, column by column with an explicit projection.
    dense = np.zeros_like(normal)
    z1 = np.concatenate([model.z, np.ones_like(model.z[:1])])
    slopes = model.slopes(weight, bias)
    for job in model.jobs():
        F = varpro.design(model.features(model.hidden(weight, bias)), model.V[:, job], model.offset)
        projector = np.eye(len(F)) - F @ np.linalg.pinv(F)
        heads = np.linalg.lstsq(F, model.y[:, job], rcond=None)[0]
        for c in range(heads.shape[1]):
            columns = []
            for unit in range(len(weight)):
                at = [b * (F.shape[1] // _blocks(model)) + _first(model) + unit for b in range(_blocks(model))]
                factors = [np.ones(len(F))] * model.offset + [v[0] for v in model.V[:, job]]
                gain = sum(heads[k, c] * f for k, f in zip(at, factors, strict=True))
                columns += [gain * slopes[unit] * row for row in z1]
            J = projector @ np.stack(columns, axis=1)
            dense += J.T @ J
    np.testing.assert_allclose(normal, dense, rtol=1e-5, atol=1e-7 * np.abs(dense).max())


def _blocks(model: Any) -> int:
    return len(model.V) + model.offset


def _first(model: Any) -> int:
    return 1 + (model.z.shape[0] if model.skeleton.linear else 0)


def test_more_outputs_than_pairs_are_factored(data: Dataset) -> None:
    few = replace(data.take(np.arange(6)), held_out=np.arange(6) >= 3)
    corrector = FORMS["neurvec"].with_options(width=2, input="u", activation="tanh")
    start = skeleton(corrector, few, "u", bandwidth=1.0, seed=0)
    _, interrupted = varpro.train_features(corrector, start, few, iterations=3, patience=3)
    assert not interrupted


@pytest.mark.parametrize("name", ["neurvec", "stage-attention"])
def test_the_loss_never_rises(name: str, data: Dataset) -> None:
    corrector = FORMS[name].with_options(width=6, input="u", activation="sine")
    start = skeleton(corrector, data, "u", bandwidth=0.5, seed=0)
    losses: list[float] = []
    varpro.train_features(
        corrector, start, data, iterations=15, patience=15, report=lambda _, loss, held_out: losses.append(loss)
    )
    assert len(losses) > 5
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.5 * losses[0]
