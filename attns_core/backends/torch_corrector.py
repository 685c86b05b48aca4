"""The corrector's term on tensors: the formula of :mod:`attns_core.corrector` as a torch module.

One module serves evaluation in the torch backend, gradients in rollouts and training by torch
optimisers; it converts from and to :class:`TrainedCorrector` without loss.
"""

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from attns_core.backends.torch_monomials import Monomials
from attns_core.corrector import Activation, Layer, TrainedCorrector

UNIT_LOOP_UP_TO = 32
"""Inputs and outputs, together, of a hidden layer up to which its units need no matrix products.

Measured on one AVX-512 core (RK4 on spring chains, 1024 rational units, float32), nanoseconds a step without
and with the loop: 12 of them 436 and 260, 16 516 and 325, 24 626 and 473, 32 841 and 693, 40 954 and 1261.
"""


UNIT_LOOP_ACTIVATIONS = ("identity", "sine", "quintic", "relu", "rational")
"""Others end in an exponential, which inductor stores wherever it is read more than once."""


class CorrectorModule(nn.Module):
    """A :class:`TrainedCorrector` as a module: ``module(u, S, k, dt) -> C``.

    Hidden layers, the shapes of rational and FSNet activations, ``offset`` and ``weights`` are
    parameters; the standardisation, the value matrix, ``bound`` and ``clip`` are buffers.

    Parameters
    ----------
    trained : TrainedCorrector
    dtype : torch.dtype
    device : str or torch.device
    """

    def __init__(self, trained: TrainedCorrector, *, dtype: torch.dtype = torch.float64, device: Any = "cpu") -> None:
        super().__init__()

        def tensor(array: Any) -> Tensor:
            return torch.tensor(np.asarray(array, dtype=np.float64), dtype=dtype, device=device)

        def parameter(array: Any) -> nn.Parameter | None:
            return None if array is None else nn.Parameter(tensor(array))

        self.input = trained.input
        self.linear = trained.linear
        self.active = trained.active
        self.layers = nn.ModuleList(_LayerModule(layer, tensor) for layer in trained.layers)
        # One output's weights are neighbours, as the product with them reads them.
        self.offset = None if trained.offset is None else nn.Parameter(tensor(trained.offset.T).T)
        self.weights = parameter(trained.weights)
        self.mean: Tensor
        self.scale: Tensor
        self.bound: Tensor | None
        self.clip: Tensor | None
        self.lower: Tensor | None
        self.upper: Tensor | None
        for name in ("mean", "scale", "bound", "clip", "lower", "upper"):
            value = getattr(trained, name)
            self.register_buffer(name, None if value is None else tensor(value))
        # Small integer and coefficient tables decide which operations run, so they stay on the host.
        self.values = None if trained.values is None else np.array(trained.values, dtype=np.float64)
        self.exponents = None if trained.exponents is None else np.array(trained.exponents, dtype=np.int64)
        self._monomials = None if self.exponents is None else Monomials(self.exponents, torch.device(device))

    @classmethod
    def from_trained(
        cls, trained: TrainedCorrector, *, dtype: torch.dtype = torch.float64, device: Any = "cpu"
    ) -> "CorrectorModule":
        """The module of a trained (or freshly initialised) corrector."""
        return cls(trained, dtype=dtype, device=device)

    def to_trained(self) -> TrainedCorrector:
        """The present weights as float64 arrays on the host."""

        def array(value: Any) -> Any:
            return None if value is None else value.detach().cpu().numpy().astype(np.float64, order="C")

        return TrainedCorrector(
            input=self.input,
            mean=array(self.mean),
            scale=array(self.scale),
            layers=tuple(cast("_LayerModule", layer).to_layer(array) for layer in self.layers),
            exponents=self.exponents,
            linear=self.linear,
            offset=array(self.offset),
            weights=array(self.weights),
            values=self.values,
            bound=array(self.bound),
            clip=array(self.clip),
            lower=array(self.lower),
            upper=array(self.upper),
            active=self.active,
        )

    @property
    def needs_stages(self) -> bool:
        """Whether the term depends on the method's stages."""
        return self.input in ("f", "K", "uK") or self.values is not None

    @property
    def loops_over_units(self) -> bool:
        """Whether :meth:`forward` can sum over the units of its only hidden layer without storing them."""
        if len(self.layers) != 1 or self.layers[0].activation not in UNIT_LOOP_ACTIVATIONS:
            return False
        n_out = sum(part.shape[1:].numel() for part in (self.offset, self.weights) if part is not None)
        return self.mean.numel() + n_out <= UNIT_LOOP_UP_TO

    def _standardised(self, x: Tensor) -> Tensor:
        if self.lower is not None and self.upper is not None:
            x = torch.clamp(x, self.lower[:, None], self.upper[:, None])
        return (x - self.mean[:, None]) / self.scale[:, None]

    def feature_blocks(self, x: Tensor) -> list[Tensor]:
        """Features of inputs ``(n_in, n)`` but for the constant 1, in blocks of shape ``(.., n)``."""
        z = self._standardised(x)
        blocks = [z] if self.linear else []
        if len(self.layers) > 0:
            hidden = z
            for layer in self.layers:
                hidden = layer(hidden)
            blocks.append(hidden)
        elif self._monomials is not None:
            blocks.append(self._monomials(z))
        return blocks

    def features(self, x: Tensor) -> Tensor:
        """Feature vector of inputs ``(n_in, n)``: shape ``(n_features, n)``."""
        return torch.cat([torch.ones_like(x[:1]), *self.feature_blocks(x)])

    def forward(self, u: Tensor, S: Tensor, k: Tensor | None, dt: float, *, unit_loop: bool = False) -> Tensor:
        """The term ``C``, shape ``(dim, n)``.

        Parameters
        ----------
        u, S : Tensor, shape (dim, n)
        k : Tensor, shape (stages, dim, n), optional
            Needed where :attr:`needs_stages` says so.
        unit_loop : bool
            Write the hidden layer as sums over units instead of matrix products, which a compiler
            turns into one loop that keeps nothing; for modules that :attr:`loops_over_units`.
        """
        dim, n = u.shape
        parts: list[Tensor] = [] if self.offset is None else [self.offset]
        if self.weights is not None:
            parts.append(self.weights.flatten(1))
        readout = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        x = self._gather(u, S, k)
        terms = self._unit_loop(x, readout) if unit_loop else self._products(x, readout)

        term = terms[:dim] if self.offset is not None else torch.zeros_like(u)
        if self.weights is not None and self.values is not None:
            assert k is not None
            weighted = terms[terms.shape[0] - self.weights[0].numel() :]
            per_value = weighted.reshape(*self.weights.shape[1:], n)
            term = term + (per_value * self._mixed(k, dt)).sum(dim=0)
        if self.bound is not None:
            term = self.bound[:, None] * torch.tanh(term / self.bound[:, None])
        if self.clip is not None:
            term = torch.clamp(term, -self.clip[:, None], self.clip[:, None])
        return term

    def _products(self, x: Tensor, readout: Tensor) -> Tensor:
        """Features times ``readout``, shape ``(n_out, n)``."""
        blocks = self.feature_blocks(x)
        rows = readout[1:].split([b.shape[0] for b in blocks])
        terms: Tensor | None = None
        for row, block in zip(rows, blocks, strict=True):
            terms = row.T @ block if terms is None else torch.addmm(terms, row.T, block)
        if terms is None:
            return readout[0][:, None].expand(-1, x.shape[1])
        return torch.sub(terms, -readout[0][:, None])  # see _LayerModule.forward

    def _unit_loop(self, x: Tensor, readout: Tensor) -> Tensor:
        """The same for one hidden layer on few inputs: elementwise, then one sum over units per output."""
        # Stacked row by row, for a compiler to keep the inputs rather than to repeat them for every unit.
        z = torch.stack(self._standardised(x).unbind(0)).unbind(0)
        layer = cast("_LayerModule", self.layers[0])
        inner = layer.bias[:, None]
        for j, z_j in enumerate(z):
            inner = inner + layer.weight[:, j : j + 1] * z_j
        hidden = layer.activate(inner)
        first = 1 + (len(z) if self.linear else 0)
        terms = []
        for i in range(readout.shape[1]):
            term = (readout[first:, i : i + 1] * hidden).sum(dim=0) + readout[0, i]
            for j in range(1, first):
                term = term + readout[j, i] * z[j - 1]
            terms.append(term)
        return torch.stack(terms)

    def _gather(self, u: Tensor, S: Tensor, k: Tensor | None) -> Tensor:
        match self.input:
            case "u":
                return u
            case "S":
                return S
            case "uS":
                return torch.cat([u, S])
        assert k is not None
        match self.input:
            case "f":
                return k[0]
            case "K":
                return k.flatten(0, 1)
            case _:
                return torch.cat([u, k.flatten(0, 1)])

    def _mixed(self, k: Tensor, dt: float) -> Tensor:
        """Values ``V_v = dt sum_j T_vj k_j``, shape ``(n_values, dim, n)``."""
        assert self.values is not None
        mixed = []
        for row in self.values:
            value: Tensor | None = None
            for j in np.flatnonzero(row):
                weighted = k[int(j)] * (dt * float(row[j]))
                value = weighted if value is None else value + weighted
            mixed.append(torch.zeros_like(k[0]) if value is None else value)
        return torch.stack(mixed)


class _LayerModule(nn.Module):
    """One hidden layer ``act(W z + b)`` with the activation's own parameters."""

    def __init__(self, layer: Layer, tensor: Any) -> None:
        super().__init__()
        self.activation: Activation = layer.activation
        self.weight = nn.Parameter(tensor(layer.weight))
        self.bias = nn.Parameter(tensor(layer.bias))
        self.shape = nn.Parameter(tensor(layer.shape))

    def forward(self, z: Tensor) -> Tensor:
        # Subtracted, since inductor makes a sum into addmm, which fills the output with the bias first:
        # one more pass through memory over all units. So the activation's loop takes it along.
        return self.activate(torch.sub(self.weight @ z, -self.bias[:, None]))

    def activate(self, z: Tensor) -> Tensor:
        """The activation of ``(units, n)``."""
        match self.activation:
            case "identity":
                return z
            case "sine":
                return torch.sin(z)
            case "quintic":
                y = z * z
                return z * (1 + y * (y / 120 - 1 / 6))
            case "tanh":
                return torch.tanh(z)
            case "silu":
                return torch.nn.functional.silu(z)
            case "relu":
                return torch.relu(z)
            case "rational":
                a0, a1, a2, a3, b0, b1, b2 = self.shape.unbind()
                return (a0 + z * (a1 + z * (a2 + z * a3))) / (b0 + z * (b1 + z * b2))
            case "fsnet":
                a1, a2, a3, a4, a5 = self.shape[:, :, None].unbind()
                s = torch.sigmoid(a2 * (z + a3))
                return a1 * s * (1 - s) + a4 * torch.sin(200 * a5 * z)

    def to_layer(self, array: Any) -> Layer:
        return Layer(
            weight=array(self.weight), bias=array(self.bias), activation=self.activation, shape=array(self.shape)
        )
