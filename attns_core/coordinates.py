"""Coordinates of one's own: an equation in the logarithms of its components, or in any functions of them.

The equation in other coordinates is an equation: methods, backends, correctors, training and references
take it as it is. A corrector for it learns its term in those coordinates, and a map over a step (the
method ``zero``) that stays positive by construction, with errors relative to the size of what varies
over decades.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import numpy as np

from attns_core.equation import Equation, Invariant
from attns_core.errors import AttnsError, UnknownNameError
from attns_core.identity import content_hash, source_hash
from attns_core.maths import numpy_maths
from attns_core.parameters import Params
from attns_core.types import Array

_STRUCTURE = frozenset({"hamiltonian", "linear", "polynomial", "separable"})
"""Tags that other coordinates need not keep."""


@final
@dataclass(frozen=True, kw_only=True)
class Coordinate:
    """One component's coordinate, as functions over the maths namespace ``m``.

    Parameters
    ----------
    name : str
        What stands before the component's name.
    forward : callable
        ``forward(u, m)``: the coordinate of a component.
    backward : callable
        ``backward(v, m)``: its inverse.
    slope : callable
        ``slope(v, m)``: the derivative of ``backward``.
    """

    name: str
    forward: Callable[[Any, Any], Any]
    backward: Callable[[Any, Any], Any]
    slope: Callable[[Any, Any], Any]


def logarithm(floor: float = 0.0) -> Coordinate:
    """``log(u + floor)``: for components that stay above ``-floor``; a floor lets them reach zero."""
    return Coordinate(
        name="log",
        forward=lambda u, m: m.log(u + floor),
        backward=lambda v, m: m.exp(v) - floor,
        slope=lambda v, m: m.exp(v),
    )


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class ChangeOfCoordinates:
    """An equation and the coordinates that some of its components are replaced by.

    Parameters
    ----------
    equation : Equation
        With the parameters that it shall have.
    coordinates : mapping of str to Coordinate
        By component name; the others stay.

    Raises
    ------
    AttnsError
        If a component is unknown, a sampled state has no finite coordinate, or ``backward`` and ``slope``
        are not inverse and derivative at the sampled states.
    """

    equation: Equation
    coordinates: Mapping[str, Coordinate]

    def __post_init__(self) -> None:
        for name in self.coordinates:
            if name not in self.equation.component_names:
                raise UnknownNameError(f"component of {self.equation.name}", name, list(self.equation.component_names))
        u = self.equation.initial_states(0, 64)
        for i, coordinate in self._places.items():
            _check(f"{coordinate.name} of {self.equation.component_names[i]}", coordinate, u[i])

    @cached_property
    def _places(self) -> dict[int, Coordinate]:
        names = self.equation.component_names
        return {i: self.coordinates[name] for i, name in enumerate(names) if name in self.coordinates}

    def forward(self, u: Array) -> Array:
        """States ``u`` of shape (dim, n) or (n_save, dim, n) in the coordinates."""
        return self._mapped(u, lambda c: c.forward)

    def backward(self, v: Array) -> Array:
        """Coordinates back to states."""
        return self._mapped(v, lambda c: c.backward)

    def _mapped(self, states: Array, choose: Callable[[Coordinate], Callable[[Any, Any], Any]]) -> Array:
        out, m = np.array(states, dtype=np.float64), numpy_maths()
        for i, coordinate in self._places.items():
            out[..., i, :] = choose(coordinate)(out[..., i, :], m)
        return out

    @cached_property
    def transformed(self) -> Equation:
        """The equation in the coordinates: ``v' = f(t, backward(v)) / slope(v)``, samples and invariants with it."""
        old, places = self.equation, self._places
        functions = [[i, c.name, *map(source_hash, (c.forward, c.backward, c.slope))] for i, c in places.items()]
        origin = content_hash([old.identity(), functions])

        def original(v: Any, m: Any) -> list[Any]:
            u = list(v)
            for i, coordinate in places.items():
                u[i] = coordinate.backward(u[i], m)
            return u

        def rhs(t: Any, v: Any, p: Any, m: Any) -> tuple[Any, ...]:
            # Named so that this function's identity covers what it is made of.
            _ = origin
            v = list(v)
            du = list(old.rhs(t, original(v, m), p, m))
            for i, coordinate in places.items():
                du[i] = du[i] / coordinate.slope(v[i], m)
            return tuple(du)

        def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
            _ = origin
            return self.forward(np.asarray(old.sample(p, rng, n), dtype=np.float64))

        def kept(invariant: Invariant) -> Invariant:
            return Invariant(invariant.name, lambda t, v, p, m: invariant.value(t, original(v, m), p, m))

        names = tuple(f"{places[i].name}_{c}" if i in places else c for i, c in enumerate(old.component_names))
        inside = ", ".join(f"{c.name} {old.component_names[i]}" for i, c in places.items())
        return replace(
            old,
            name=f"{old.name}-in-{'-'.join(dict.fromkeys(c.name for c in places.values()))}",
            title=f"{old.title} in {inside}",
            rhs=rhs,
            components=names,
            sample=sample,
            invariants=tuple(kept(i) for i in old.invariants),
            array_rhs=None,
            exact=None,
            latex=(),
            integrators=(),
            tags=old.tags - _STRUCTURE,
        )


def _check(where: str, coordinate: Coordinate, u: Array) -> None:
    m = numpy_maths()
    with np.errstate(all="ignore"):
        v = np.asarray(coordinate.forward(u, m))
    if not np.isfinite(v).all():
        bad = float(u[~np.isfinite(v)][0])
        raise AttnsError(f"{where}: the sampled value {bad:g} has no finite coordinate; give the coordinate a floor")
    size = np.abs(u).max()
    gap = np.abs(coordinate.backward(v, m) - u).max()
    if not gap <= 1e-9 * size:
        raise AttnsError(f"{where}: backward(forward(u)) differs from u by {gap:.2g}; it must be the inverse")
    step = 1e-5
    slope = (coordinate.backward(v + step, m) - coordinate.backward(v - step, m)) / (2 * step)
    gap = np.abs(coordinate.slope(v, m) - slope).max()
    if not gap <= 1e-6 * np.abs(slope).max():
        raise AttnsError(f"{where}: slope differs from the derivative of backward by {gap:.2g}")
