"""What the compiled backend needs to know about a trained corrector: its form, and its numbers."""

from dataclasses import replace
from typing import Any

import numpy as np

from attns_core.correction import stage_weights
from attns_core.corrector_sequence import Correction, CorrectorSequence
from attns_core.kernels.corrector_arrays import corrector_arrays, stacked_arrays
from attns_core.kernels.corrector_form import CorrectorForm
from attns_core.kernels.form import Form
from attns_core.method import AbstractMethod
from attns_core.trained_corrector import TrainedCorrector


def corrector_form(corrector: Correction, dim: int, method: AbstractMethod) -> CorrectorForm:
    """The compiled-in part of a corrector for a system of ``dim`` components; a sequence has one form."""
    if isinstance(corrector, CorrectorSequence):
        corrector = corrector.correctors[0]
    weights = stage_weights(method)
    stages = 0 if weights is None else weights.size
    u = [("u", 0, i) for i in range(dim)]
    S = [("S", 0, i) for i in range(dim)]
    K = [("k", s, i) for s in range(stages) for i in range(dim)]
    start = [("u0_", 0, i) for i in range(dim)]
    inputs = {"u": u, "S": S, "uS": u + S, "f": K[:dim], "K": K, "uK": u + K, "u0": start}[corrector.input]
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
        limited=corrector.lower is not None,
    )


def corrector_tables(corrector: Correction, dim: int, method: AbstractMethod, form: Form) -> tuple[Any, ...]:
    """The numbers of a corrector or of a sequence, in the kernel's order and precision."""
    if isinstance(corrector, CorrectorSequence):
        return stacked_arrays([corrector_tables(_silent(c), dim, method, form) for c in corrector.correctors])
    compiled = corrector_form(corrector, dim, method)
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
        lower=corrector.lower,
        upper=corrector.upper,
        dim=dim,
        dtype=form.dtype,
        half_turns=compiled.is_on_vectors(form) and compiled.activations[-1] == "sine",
    )


def _silent(corrector: TrainedCorrector) -> TrainedCorrector:
    """A corrector of a sequence whose gate is closed adds zero: the others' steps share its code."""
    if corrector.active:
        return corrector
    offset, weights = corrector.offset, corrector.weights
    return replace(
        corrector,
        offset=None if offset is None else np.zeros_like(offset),
        weights=None if weights is None else np.zeros_like(weights),
    )
