"""The last hidden layer of a corrector as one operator on the CPU."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from attns_core import build_registry  # noqa: E402
from attns_core.backends.torch_corrector import CorrectorModule  # noqa: E402
from attns_core.backends.torch_layer import FEWEST, operator_sums  # noqa: E402
from attns_core.trained_corrector import Layer, TrainedCorrector  # noqa: E402

RK4 = build_registry().method("rk4")
DIM = 3
TOLERANCE = {torch.float64: 1e-13, torch.float32: 1e-5}


def corrector(activation: Any, *, widths: tuple[int, ...] = (67,), linear: bool = True) -> TrainedCorrector:
    rng = np.random.default_rng(4)
    sizes = (DIM, *widths)
    layers = tuple(
        Layer(
            weight=rng.normal(size=(n_out, n_in)),
            bias=rng.normal(size=n_out),
            activation=activation,
            shape=np.array([1.1915, 1.5957, 0.5, 0.0218, 2.383, 0.1, 1.0]) if activation == "rational" else np.empty(0),
        )
        for n_in, n_out in zip(sizes, widths, strict=False)
    )
    features = 1 + (DIM if linear else 0) + widths[-1]
    return TrainedCorrector(
        input="u",
        mean=rng.normal(size=DIM),
        scale=1 + rng.random(DIM),
        layers=layers,
        linear=linear,
        offset=rng.normal(size=(features, DIM)),
    )


def inputs(n: int, dtype: Any) -> Any:
    return torch.tensor(np.random.default_rng(5).normal(size=(DIM, n)), dtype=dtype)


@pytest.mark.parametrize("dtype", list(TOLERANCE), ids=str)
@pytest.mark.parametrize("n", [1, 7, 48, 100])
@pytest.mark.parametrize(
    ("activation", "widths", "linear"),
    [
        ("sine", (67,), True),
        ("sine", (8, 67), True),
        ("quintic", (67,), False),
        ("relu", (5, 67), False),
        ("rational", (67,), True),
    ],
)
def test_the_operator_is_the_products(
    activation: str, widths: tuple[int, ...], linear: bool, n: int, dtype: Any
) -> None:
    module = CorrectorModule(corrector(activation, widths=widths, linear=linear), dtype=dtype)
    sums = operator_sums(module, DIM, RK4)
    assert sums is not None
    x = inputs(n, dtype)
    expected = module.sums(x).detach()
    torch.testing.assert_close(sums(x).detach(), expected, rtol=0, atol=TOLERANCE[dtype] * float(expected.abs().max()))


def test_sines_of_far_inputs_are_those_of_the_c_library() -> None:
    module = CorrectorModule(corrector("sine"))
    sums = operator_sums(module, DIM, RK4)
    assert sums is not None
    x = inputs(50, torch.float64)
    near = sums(x).detach()
    x[:, 11] *= 1e7
    found, expected = sums(x).detach(), module.sums(x).detach()
    others = np.arange(50) != 11
    np.testing.assert_array_equal(found[:, others], near[:, others])
    # The argument, about 1e7, is rounded before either sine.
    assert float((found[:, 11] - expected[:, 11]).abs().max()) <= 1e-6 * float(expected[:, 11].abs().max())


def test_lanes_without_a_number_spoil_no_others() -> None:
    module = CorrectorModule(corrector("quintic"))
    sums = operator_sums(module, DIM, RK4)
    assert sums is not None
    x = inputs(50, torch.float64)
    calm = sums(x).detach()
    x[:, 3] = torch.nan
    found = sums(x).detach()
    assert bool(found[:, 3].isnan().all())
    others = np.arange(50) != 3
    np.testing.assert_array_equal(found[:, others], calm[:, others])


def test_few_units_and_activations_that_end_in_an_exponential_stay_products() -> None:
    assert operator_sums(CorrectorModule(corrector("tanh")), DIM, RK4) is None
    assert operator_sums(CorrectorModule(corrector("sine", widths=(FEWEST - 1,))), DIM, RK4) is None
    trained = corrector("sine")
    polynomial = replace(trained, layers=(), exponents=np.eye(DIM, dtype=int)[:2], offset=np.ones((1 + DIM + 2, DIM)))
    assert operator_sums(CorrectorModule(polynomial), DIM, RK4) is None
