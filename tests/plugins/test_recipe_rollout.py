"""Training through the solver."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from attns_core import AttnsError, build_registry  # noqa: E402
from attns_core.correction import correction  # noqa: E402
from attns_core.dataset import Dataset, make_dataset  # noqa: E402

REGISTRY = build_registry()
RECIPE = REGISTRY.get("recipe", "rollout").with_options(steps=15, horizons=[2, 4], pushforward=2, batch=64)
ATTNS = REGISTRY.corrector("attns", width=8)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    torch.set_num_threads(1)
    return make_dataset(REGISTRY.equation("elastic-pendulum"), REGISTRY.method("rk4"), 0.1, trajectories=6, t_end=4.0)


def test_multi_step_error_falls_below_the_start_and_repeats(dataset: Dataset) -> None:
    texts: list[str] = []
    fit = RECIPE.fit(ATTNS, dataset, seed=0, progress=lambda fraction, text: texts.append(f"{fraction:.2f} {text}"))
    assert min(point[2] for point in fit.curve) < 0.9 * fit.curve[0][2]
    assert fit.chosen["improved"]
    assert fit.chosen["horizons"] == [2, 4]
    assert texts[-1].startswith("1.00 horizon 4: step 15/15, loss")
    again = RECIPE.fit(ATTNS, dataset, seed=0)
    assert fit.trained.offset is not None
    np.testing.assert_array_equal(again.trained.offset, fit.trained.offset)
    np.testing.assert_array_equal(again.trained.layers[0].weight, fit.trained.layers[0].weight)


def test_a_least_squares_start_is_never_made_worse(dataset: Dataset) -> None:
    recipe = RECIPE.with_options(start="lsq", layers=False, lr=1.0, steps=8, checkpoint=2)
    fit = recipe.fit(REGISTRY.corrector("stage-attention", width=4), dataset, seed=1)
    held = dataset.take(dataset.held_out)
    error = held.relative_error(correction(fit.trained, held.u, held.S, held.k, held.dt))
    assert error < 0.1  # rates a thousand times too large: what is kept is the start
    assert fit.trained.weights is not None


@pytest.mark.parametrize("start", ["adam", "lsq"])
def test_shared_and_low_rank_heads_are_refined(start: str, dataset: Dataset) -> None:
    form = REGISTRY.corrector("stage-attention", width=6, input="u", head="shared", rank=2)
    fit = RECIPE.with_options(start=start, steps=4).fit(form, dataset, seed=0)
    assert fit.trained.weights is not None
    assert fit.trained.weights.shape == (1 + 4 + 2, 4, 1)
    assert min(point[2] for point in fit.curve) < 1.0
    held = dataset.take(dataset.held_out)
    assert held.relative_error(correction(fit.trained, held.u, held.S, held.k, held.dt)) < 0.5


def test_an_interruption_keeps_the_best(dataset: Dataset) -> None:
    def interrupt(fraction: float, text: str) -> None:
        raise KeyboardInterrupt

    fit = RECIPE.fit(ATTNS, dataset, seed=0, progress=interrupt)
    assert fit.chosen["interrupted"]
    assert np.isfinite(fit.trained.offset).all()


def test_trajectories_shorter_than_the_horizons_cut_them(dataset: Dataset) -> None:
    # Pairs further apart than a step do not belong to one segment.
    sparse = dataset.take(np.arange(dataset.n) % 4 != 3)
    fit = RECIPE.with_options(horizons=[2, 8], steps=2).fit(ATTNS, sparse, seed=0)
    assert fit.chosen["horizons"] == [2, 3]
    assert fit.chosen["pushforward"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "rollout"}, "start must be one of"),
        ({"horizons": []}, "horizons must be at least 1"),
        ({"device": "cuda:99"}, "no CUDA device"),
        ({"optimiser": "adamm"}, "no optimiser 'adamm'"),
    ],
)
def test_bad_options_are_clear_errors(dataset: Dataset, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AttnsError, match=message):
        RECIPE.with_options(**options).fit(ATTNS, dataset, seed=0)


def test_the_device_is_no_part_of_the_identity() -> None:
    assert replace(RECIPE, device="cuda").identity() == RECIPE.identity()
    assert RECIPE.with_options(horizons=[2]).identity() != RECIPE.identity()
