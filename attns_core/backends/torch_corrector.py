"""The corrector's term on tensors: the formula of :mod:`attns_core.corrector` as a torch module.

One module serves evaluation in the torch backend, gradients in rollouts and training by torch
optimisers; it converts from and to :class:`TrainedCorrector` without loss.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor, nn

from attns_core.backends.torch_monomials import Monomials
from attns_core.corrector import Activation
from attns_core.trained_corrector import Layer, TrainedCorrector

Sums: TypeAlias = Callable[[Tensor], Tensor]
"""``sums(x)``: features of inputs ``(n_in, n)`` times the weights of offset and values, shape ``(n_out, n)``."""


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
        self.tableau = None if trained.tableau is None else np.array(trained.tableau, dtype=np.float64)
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
            tableau=self.tableau,
            active=self.active,
        )

    @property
    def has_term(self) -> bool:
        """Whether there is a term ``C``; a learned tableau alone has none."""
        return self.offset is not None or self.weights is not None

    @property
    def is_attentive(self) -> bool:
        """Whether a learned tableau's weights depend on the state."""
        return self.tableau is not None and len(self.tableau) > 1

    @property
    def needs_stages(self) -> bool:
        """Whether the term depends on the method's stages."""
        return self.input in ("f", "K", "uK") or self.values is not None

    def within_limits(self, x: Tensor) -> Tensor:
        """Inputs ``(n_in, n)``, where they are limited cut to their limits."""
        if self.lower is None or self.upper is None:
            return x
        return torch.clamp(x, self.lower[:, None], self.upper[:, None])

    def feature_blocks(self, x: Tensor) -> list[Tensor]:
        """Features of inputs ``(n_in, n)`` but for the constant 1, in blocks of shape ``(.., n)``."""
        z = (self.within_limits(x) - self.mean[:, None]) / self.scale[:, None]
        blocks = [z] if self.linear else []
        products = [] if self._monomials is None else [self._monomials(z)]
        if len(self.layers) > 0:
            hidden = torch.cat([z, *products])
            for layer in self.layers:
                hidden = layer(hidden)
            blocks.append(hidden)
        else:
            blocks += products
        return blocks

    def features(self, x: Tensor) -> Tensor:
        """Feature vector of inputs ``(n_in, n)``: shape ``(n_features, n)``."""
        return torch.cat([torch.ones_like(x[:1]), *self.feature_blocks(x)])

    def forward(self, u: Tensor, S: Tensor, k: Tensor | None, dt: float, *, sums: Sums | None = None) -> Tensor:
        """The term ``C``, shape ``(dim, n)``.

        Parameters
        ----------
        u, S : Tensor, shape (dim, n)
        k : Tensor, shape (stages, dim, n), optional
            Needed where :attr:`needs_stages` says so.
        sums : callable, optional
            Another way to compute what :meth:`sums` does.
        """
        dim, n = u.shape
        x = self._gather(u, S, k)
        terms = self.sums(x) if sums is None else sums(x)

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

    def sums(self, x: Tensor) -> Tensor:
        """Features of inputs ``(n_in, n)`` times the weights of offset and values, shape ``(n_out, n)``."""
        parts: list[Tensor] = [] if self.offset is None else [self.offset]
        if self.weights is not None:
            parts.append(self.weights.flatten(1))
        readout = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        blocks = self.feature_blocks(x)
        rows = readout[1:].split([b.shape[0] for b in blocks])
        terms: Tensor | None = None
        for row, block in zip(rows, blocks, strict=True):
            terms = row.T @ block if terms is None else torch.addmm(terms, row.T, block)
        if terms is None:
            return readout[0][:, None].expand(-1, x.shape[1])
        return torch.sub(terms, -readout[0][:, None])  # see _LayerModule.forward

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
