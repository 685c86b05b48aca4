"""Weights for every step of a solve, and what may correct one: the same weights at every step, or weights for each."""

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np

from attns_core.errors import AttnsError
from attns_core.trained_corrector import TrainedCorrector
from attns_core.types import Array


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class CorrectorSequence:
    """Trained correctors of consecutive steps: step ``s`` of a solve uses corrector ``s`` modulo their number.

    They share one form (input, features, layers' shapes), so that one kernel evaluates them all.

    Parameters
    ----------
    correctors : tuple of TrainedCorrector
    starts, lengths : array, shape (n,)
        The steps that they were trained for: times and lengths.

    Raises
    ------
    AttnsError
        If there are none, or as many steps as correctors are not given, or their forms differ.
    """

    correctors: tuple[TrainedCorrector, ...]
    starts: Array
    lengths: Array

    def __post_init__(self) -> None:
        n = len(self.correctors)
        if n == 0 or self.starts.shape != (n,) or self.lengths.shape != (n,):
            raise AttnsError(
                f"a corrector sequence needs one step per corrector: {n} correctors, {self.starts.size} starts, "
                f"{self.lengths.size} lengths"
            )
        if any(c.tableau is not None for c in self.correctors):
            raise AttnsError("a sequence of correctors has terms only: a learned tableau serves steps of one length")
        forms = [_shapes(c) for c in self.correctors]
        for i, form in enumerate(forms):
            if form != forms[0]:
                raise AttnsError(f"correctors of a sequence must have one form; number {i} differs from the first")

    @property
    def input(self) -> str:
        return self.correctors[0].input

    @property
    def has_term(self) -> bool:
        """True: terms are all that a sequence has."""
        return True

    @property
    def tableau(self) -> None:
        """None: a learned tableau serves steps of one length."""
        return None

    @property
    def active(self) -> bool:
        """Whether any of its correctors is."""
        return any(c.active for c in self.correctors)

    @property
    def n_weights(self) -> int:
        """Trained numbers over all steps."""
        return sum(c.n_weights for c in self.correctors)

    @property
    def operations(self) -> int:
        """Floating-point operations per step and trajectory; see :attr:`TrainedCorrector.operations`."""
        return self.correctors[0].operations

    def why_not(self, starts: Array, lengths: Array) -> str | None:
        """None if it was trained for a solve's steps, else what differs."""
        n = len(self.correctors)
        if lengths.size == 0:
            return None
        expected = self.lengths[np.arange(lengths.size) % n]
        wrong = np.abs(lengths - expected) > 1e-9 * expected
        if wrong.any():
            s = int(np.argmax(wrong))
            return f"step {s} has length {lengths[s]:g}, its corrector was trained for {expected[s]:g}"
        first = min(n, starts.size)
        late = np.abs(starts[:first] - self.starts[:first]) > 1e-9 * self.lengths[:first]
        if late.any():
            s = int(np.argmax(late))
            return f"step {s} begins at t={starts[s]:g}, its corrector was trained for t={self.starts[s]:g}"
        return None


Correction: TypeAlias = TrainedCorrector | CorrectorSequence
"""What corrects a solve: the same weights at every step, or weights for each."""


def corrector_of_step(corrector: Correction | None, s: int) -> TrainedCorrector | None:
    """The corrector of step ``s``, or None where the step is the bare method's."""
    if isinstance(corrector, CorrectorSequence):
        corrector = corrector.correctors[s % len(corrector.correctors)]
        return corrector if corrector.active else None
    return corrector


def _shapes(corrector: TrainedCorrector) -> tuple[Any, ...]:
    names = ("mean", "exponents", "offset", "weights", "values", "bound", "clip", "lower", "upper")
    arrays = tuple(None if getattr(corrector, name) is None else np.shape(getattr(corrector, name)) for name in names)
    layers = tuple((layer.weight.shape, layer.activation, layer.shape.shape) for layer in corrector.layers)
    mixed = None if corrector.values is None else (corrector.values != 0).tolist()
    return corrector.input, corrector.linear, arrays, layers, mixed
