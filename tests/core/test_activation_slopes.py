"""Derivatives of the activations, which variable projection trains by."""

import numpy as np
import pytest

from attns_core.correction import activate
from attns_core.corrector import ACTIVATIONS
from attns_core.diagnostics import slope
from attns_core.fitting.skeleton import start_shape
from attns_core.trained_corrector import Layer


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_slopes_are_difference_quotients(activation: str) -> None:
    shape = start_shape(activation, 2)
    layer = Layer(weight=np.eye(2), bias=np.zeros(2), activation=activation, shape=shape)  # type: ignore[arg-type]
    z = np.linspace(-1.95, 2.05, 42).reshape(2, 21)
    h = 1e-6
    quotient = (activate(z + h, layer) - activate(z - h, layer)) / (2 * h)
    np.testing.assert_allclose(slope(z, layer), quotient, rtol=1e-6, atol=1e-8)
