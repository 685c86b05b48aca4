"""What of a corrector decides the code of its kernel, and where a block keeps what it works on."""

from dataclasses import dataclass
from typing import final

from attns_core.kernels.form import Form
from attns_core.kernels.monomial_layer import MOST_SUMS
from attns_core.kernels.vector_arithmetic import ACTIVATIONS

NARROW = 28
"""Inputs plus outputs of the last layer up to which a unit at a time is computed.

Measured: from 32 on tiles (activations of arithmetic alone) are faster, and matrix products from 24 on equal.
"""

UNROLLED = 16
"""Components up to which loops over them are written out; compiling more would take too long."""


@final
@dataclass(frozen=True, kw_only=True)
class CorrectorForm:
    """What of a corrector is compiled in.

    Parameters
    ----------
    inputs : tuple of (str, int, int)
        One per input: ``("u", 0, i)``, ``("S", 0, i)``, ``("k", stage, i)``, or ``("u0_", 0, i)`` of the
        initial state.
    linear : bool
    activations : tuple of str
        One per hidden layer.
    last_inputs : int
        Inputs of the last layer.
    monomials : bool
    offset : bool
    values : tuple of tuple of int
        The stages that each value mixes.
    shared : bool
        One set of weights for all components.
    bound, clip, limited : bool
        Whether the term is bounded, cut, or its inputs limited.
    """

    inputs: tuple[tuple[str, int, int], ...]
    linear: bool
    activations: tuple[str, ...]
    last_inputs: int
    monomials: bool
    offset: bool
    values: tuple[tuple[int, ...], ...]
    shared: bool
    bound: bool
    clip: bool
    limited: bool = False

    @property
    def from_start(self) -> bool:
        """Whether the initial state is among the inputs."""
        return any(kind == "u0_" for kind, _, _ in self.inputs)

    def outputs(self, dim: int) -> int:
        """Accumulators: offsets, then weights value by value."""
        return (dim if self.offset else 0) + len(self.values) * (1 if self.shared else dim)

    def uses_products(self, dim: int) -> bool:
        """Whether matrix products occur, which a BLAS library would share between its own threads."""
        hidden = len(self.activations) > 1 or (bool(self.activations) and not self.is_fused(dim))
        return hidden or self.multiplies_inputs(dim)

    def multiplies_inputs(self, dim: int) -> bool:
        """Whether inputs as features are a matrix product rather than loops."""
        if self.is_arithmetic or self.is_polynomial_on_vectors(dim):
            return False
        return self.linear and len(self.inputs) + self.outputs(dim) > NARROW

    def is_narrow(self, dim: int) -> bool:
        """Whether the weights of a unit of the last layer fit the registers."""
        return self.last_inputs + self.outputs(dim) <= NARROW

    @property
    def is_arithmetic(self) -> bool:
        """Whether the last layer's activation can be computed on explicit vectors."""
        return bool(self.activations) and self.activations[-1] in ACTIVATIONS

    def is_fused(self, dim: int) -> bool:
        """Whether the last layer is fused with its activation rather than two matrix products."""
        return self.is_narrow(dim) or self.is_arithmetic

    def is_on_vectors(self, form: Form) -> bool:
        """Whether the last layer is one function on vectors (``tiled_layer``)."""
        return self.is_arithmetic and not form.exact

    def is_polynomial_on_vectors(self, dim: int) -> bool:
        """Whether there are no hidden layers, and features are one function on vectors (``monomial_layer``)."""
        return not self.activations and self.outputs(dim) <= MOST_SUMS


@final
@dataclass(frozen=True)
class Layout:
    """Row offsets of the regions in a block's one work array."""

    dim: int
    form: CorrectorForm

    @property
    def increment(self) -> int:
        return self.dim

    @property
    def inputs(self) -> int:
        return 2 * self.dim

    @property
    def values(self) -> int:
        return self.inputs + len(self.form.inputs)

    @property
    def accumulators(self) -> int:
        return self.values + len(self.form.values) * self.dim

    @property
    def first_weight(self) -> int:
        return self.accumulators + (self.dim if self.form.offset else 0)

    @property
    def rows(self) -> int:
        return self.initial + (self.dim if self.form.from_start else 0)

    @property
    def initial(self) -> int:
        return self.accumulators + self.form.outputs(self.dim)
