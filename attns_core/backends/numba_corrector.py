"""What the compiled backend needs to know about a trained corrector: its form, and its numbers."""

from typing import Any

import numpy as np

from attns_core.corrector import TrainedCorrector
from attns_core.kernels.corrected import CorrectorForm, corrector_arrays
from attns_core.method import AbstractMethod, ExplicitRungeKutta


def corrector_form(corrector: TrainedCorrector, dim: int, method: AbstractMethod) -> CorrectorForm:
    """The compiled-in part of a corrector for a system of ``dim`` components."""
    stages = method.stages if isinstance(method, ExplicitRungeKutta) else 0
    u = [("u", 0, i) for i in range(dim)]
    S = [("S", 0, i) for i in range(dim)]
    K = [("k", s, i) for s in range(stages) for i in range(dim)]
    inputs = {"u": u, "S": S, "uS": u + S, "f": K[:dim], "K": K, "uK": u + K}[corrector.input]
    has_values = corrector.weights is not None and corrector.values is not None
    return CorrectorForm(
        inputs=tuple(inputs),
        linear=corrector.linear,
        activations=tuple(layer.activation for layer in corrector.layers),
        last_inputs=corrector.layers[-1].weight.shape[1] if corrector.layers else len(inputs),
        monomials=corrector.exponents is not None and not corrector.layers,
        offset=corrector.offset is not None,
        values=tuple(tuple(int(j) for j in np.flatnonzero(row)) for row in corrector.values)
        if has_values and corrector.values is not None
        else (),
        shared=has_values and corrector.weights is not None and corrector.weights.shape[2] == 1,
        bound=corrector.bound is not None,
        clip=corrector.clip is not None,
    )


def corrector_tables(corrector: TrainedCorrector, dim: int, dtype: str) -> tuple[Any, ...]:
    """The numbers of a corrector, in the kernel's order and precision."""
    return corrector_arrays(
        mean=corrector.mean,
        scale=corrector.scale,
        layers=[(layer.weight, layer.bias, layer.shape) for layer in corrector.layers],
        exponents=corrector.exponents,
        linear=corrector.linear,
        offset=corrector.offset,
        weights=corrector.weights,
        values=corrector.values,
        bound=corrector.bound,
        clip=corrector.clip,
        dim=dim,
        dtype=dtype,
    )
