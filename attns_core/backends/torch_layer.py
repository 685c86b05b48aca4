"""A corrector's last hidden layer on a CPU as one operator, ``attns::hidden_layer``, for compiled steps.

Matrix products store all hidden units between them. The operator runs the kernel of the numba backend in
their place, which uses up a unit as soon as it has it. It has no derivative: where gradients are needed,
on other devices and in steps that are not compiled, the layer is products.

Measured on one AVX-512 core, float32, 1000 trajectories, RK4 on spring chains, 1024 rational units, nanoseconds a
step with products and with the operator: 80 inputs and outputs together 1145 and 972, 32 675 and 492, 16 415 and
387; the elastic pendulum's 8 359 and 219.
"""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from attns_core.backends.numba_corrector import corrector_form, corrector_tables
from attns_core.backends.torch_corrector import CorrectorModule, Sums
from attns_core.kernels.batch_layer import batch_layer
from attns_core.kernels.cache import load_kernel
from attns_core.kernels.corrector_arrays import ARGUMENTS
from attns_core.kernels.form import ENTRY, Form
from attns_core.kernels.vectors import automatic_bits, explicit_bits
from attns_core.method import AbstractMethod

FEWEST = 64
"""Units from which the operator is used.

Measured, 1000 trajectories at once, products and operator: 16 units 58 and 76 ns a step (80 inputs and outputs), 13
and 22 (8), 32 units 98 and 91, 18 and 25: a call costs 12 microseconds.
"""

VECTORS = 3
"""Vectors of lanes of a block: those of a tile."""


@torch.library.custom_op("attns::hidden_layer", mutates_args=(), device_types="cpu")
def hidden_layer(
    x: Tensor, constant: Tensor, linear: Tensor, weights: Tensor, heads: Tensor, shape: Tensor, activation: str
) -> Tensor:
    """``constant + linear.T @ x + heads.T @ activation(weights @ (x, 1))``, shape ``(n_out, n)``.

    It runs on the thread that calls it. Tables are those of :func:`attns_core.kernels.batch_layer.batch_layer`.
    """
    (n_in, n), n_out = x.shape, heads.shape[1]
    out = x.new_empty((n_out, n))
    kernel = _kernel(n_in, n_out, len(linear) > 0, activation, _name(x.dtype), n)
    tables = [table.numpy() for table in (constant, linear, weights, heads, shape)]
    kernel(x.contiguous().numpy(), out.numpy(), 0, n, *tables)
    return out


@hidden_layer.register_fake
def _(x: Tensor, constant: Tensor, *_: Any) -> Tensor:
    return x.new_empty((constant.shape[0], x.shape[1]))


def operator_sums(corrector: CorrectorModule, dim: int, method: AbstractMethod) -> Sums | None:
    """The sums of a corrector by way of the operator, with the weights that it has now.

    Returns
    -------
    Sums or None
        None on other devices, where the last layer's activation is more than arithmetic, and for few units.
    """
    if corrector.mean.device.type != "cpu":
        return None
    trained, form = corrector.to_trained(), Form(dtype=_name(corrector.mean.dtype))
    if not corrector_form(trained, dim, method).is_on_vectors(form) or trained.layers[-1].bias.size < FEWEST:
        return None
    tables = dict(zip(ARGUMENTS.split(", "), corrector_tables(trained, dim, method, form), strict=True))
    constant, linear, heads = (torch.from_numpy(tables[name]) for name in ("constant", "linear", "heads"))
    weights, shape = (torch.from_numpy(tables[name][-1]) for name in ("layers", "shapes"))
    mean, reciprocal = corrector.mean[:, None], 1 / corrector.scale[:, None]
    *before, last = trained.layers
    own = linear[:0] if before else linear

    def sums(x: Tensor) -> Tensor:
        z = hidden = (corrector.within_limits(x) - mean) * reciprocal
        for layer in corrector.layers[: len(before)]:
            hidden = layer(hidden)
        terms = hidden_layer(hidden, constant, own, weights, heads, shape, last.activation)
        return torch.addmm(terms, linear.T, z) if before and len(linear) else terms

    return sums


def _name(dtype: torch.dtype) -> str:
    return "float64" if dtype == torch.float64 else "float32"


@lru_cache
def _kernel(n_in: int, n_out: int, linear: bool, activation: str, dtype: str, n: int) -> Any:
    """The compiled layer for a batch of ``n``: blocks of a tile's vectors, fewer for a small batch."""
    bits = explicit_bits(automatic_bits())
    width = bits // (64 if dtype == "float64" else 32)
    form = Form(dtype=dtype, lanes=width * min(VECTORS, -(-n // width)), vector_bits=bits)
    return load_kernel(batch_layer(n_in=n_in, n_out=n_out, linear=linear, activation=activation, form=form), ENTRY)
