"""Coordinates of one's own: an equation in the logarithms of its components, or in any functions of them.

The equation in other coordinates is an equation: methods, backends, correctors, training and references
take it as it is. A corrector for it learns its term in those coordinates, and a map over a step (the
method ``zero``) that stays positive by construction, with errors relative to the size of what varies
over decades. :class:`SolverInCoordinates` steps there and answers in the states, so that what it delivers
compares with any other solver's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import numpy as np

from attns_core.backend import PreparedSolve
from attns_core.control import StepControl
from attns_core.equation import Equation, Invariant
from attns_core.errors import AttnsError, UnknownNameError
from attns_core.identity import content_hash, source_hash
from attns_core.maths import numpy_maths
from attns_core.options import replace_options
from attns_core.parameters import Params
from attns_core.problem import Problem
from attns_core.solution import Solution
from attns_core.solver import AbstractSolver
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
        How matrices name it; it stands before the component's name.
    title : str
        A few words for people.
    forward : callable
        ``forward(u, m)``: the coordinate of a component.
    backward : callable
        ``backward(v, m)``: its inverse.
    slope : callable
        ``slope(v, m)``: the derivative of ``backward``.
    floor : float
        What is added to the component first: logarithms with a floor let it reach zero.
    """

    name: str
    title: str = ""
    forward: Callable[[Any, Any], Any]
    backward: Callable[[Any, Any], Any]
    slope: Callable[[Any, Any], Any]
    floor: float = 0.0

    def with_options(self, **options: Any) -> "Coordinate":
        """The coordinate with another ``floor``.

        Raises
        ------
        AttnsError
            For any other option, or a floor that is not a finite number.
        """
        wrong = sorted(set(options) - {"floor"})
        if wrong:
            raise AttnsError(f"coordinate {self.name!r} has no option {wrong[0]!r}; options: floor")
        floor = options.get("floor", self.floor)
        if isinstance(floor, bool) or not isinstance(floor, int | float) or not np.isfinite(floor):
            raise AttnsError(f"coordinate {self.name!r}: floor must be a finite number, got {floor!r}")
        return replace_options(self, f"coordinate {self.name!r}", options)

    def identity(self) -> list[Any]:
        """What decides its values, as JSON."""
        return [self.name, self.floor, *map(source_hash, (self.forward, self.backward, self.slope))]

    def of(self, u: Any, m: Any) -> Any:
        """The coordinate of a component."""
        return self.forward(u + self.floor if self.floor else u, m)

    def back(self, v: Any, m: Any) -> Any:
        """The component of a coordinate."""
        return self.backward(v, m) - self.floor if self.floor else self.backward(v, m)


LOGARITHM = Coordinate(
    name="log",
    title="Logarithm: for components that stay above minus the floor",
    forward=lambda u, m: m.log(u),
    backward=lambda v, m: m.exp(v),
    slope=lambda v, m: m.exp(v),
)
SQUARE_ROOT = Coordinate(
    name="sqrt",
    title="Square root: for components that stay above minus the floor",
    forward=lambda u, m: m.sqrt(u),
    backward=lambda v, m: v * v,
    slope=lambda v, m: 2 * v,
)


def logarithm(floor: float = 0.0) -> Coordinate:
    """``log(u + floor)``: for components that stay above ``-floor``; a floor lets them reach zero."""
    return LOGARITHM.with_options(floor=floor)


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
        If a component is unknown, a sampled state has no finite coordinate, ``backward`` and ``slope`` are
        not inverse and derivative at the sampled states, or the equation has a solver of its own, which
        knows the equation's own coordinates only.
    """

    equation: Equation
    coordinates: Mapping[str, Coordinate]

    def __post_init__(self) -> None:
        for name in self.coordinates:
            if name not in self.equation.component_names:
                raise UnknownNameError(f"component of {self.equation.name}", name, list(self.equation.component_names))
        if self.equation.solver:
            raise AttnsError(f"{self.equation.name} is solved by {self.equation.solver!r}, in its own coordinates only")
        u = self.equation.initial_states(0, 64)
        for i, coordinate in self._places.items():
            _check(f"{coordinate.name} of {self.equation.component_names[i]}", coordinate, u[i])

    @cached_property
    def _places(self) -> dict[int, Coordinate]:
        names = self.equation.component_names
        return {i: self.coordinates[name] for i, name in enumerate(names) if name in self.coordinates}

    def forward(self, u: Array) -> Array:
        """States ``u`` of shape (dim, n) or (n_save, dim, n) in the coordinates."""
        return self._mapped(u, lambda c: c.of)

    def backward(self, v: Array) -> Array:
        """Coordinates back to states."""
        return self._mapped(v, lambda c: c.back)

    def problem(self, problem: Problem) -> Problem:
        """A problem of the equation, in the coordinates.

        Raises
        ------
        AttnsError
            If an initial state has no finite coordinate; names the component and the value.
        """
        with np.errstate(all="ignore"):
            u0 = self.forward(problem.u0)
        bad = np.argwhere(~np.isfinite(u0) & np.isfinite(problem.u0))
        if bad.size:
            i, j = (int(v) for v in bad[0])
            component = problem.equation.component_names[i]
            coordinate = self.coordinates[component]
            raise AttnsError(
                f"{coordinate.name} of {component}: the initial value {problem.u0[i, j]:g} of trajectory {j} has no "
                "finite coordinate; give the coordinate a floor"
            )
        return replace(problem, equation=self.transformed, u0=u0)

    def _mapped(self, states: Array, choose: Callable[[Coordinate], Callable[[Any, Any], Any]]) -> Array:
        out, m = np.array(states, dtype=np.float64), numpy_maths()
        for i, coordinate in self._places.items():
            out[..., i, :] = choose(coordinate)(out[..., i, :], m)
        return out

    @cached_property
    def transformed(self) -> Equation:
        """The equation in the coordinates: ``v' = f(t, backward(v)) / slope(v)``, samples and invariants with it."""
        old, places = self.equation, self._places
        origin = content_hash([old.identity(), [[i, c.identity()] for i, c in places.items()]])

        def original(v: Any, m: Any) -> list[Any]:
            u = list(v)
            for i, coordinate in places.items():
                u[i] = coordinate.back(u[i], m)
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


@final
@dataclass(frozen=True, eq=False)
class SolverInCoordinates(AbstractSolver):
    """A solver that steps in other coordinates and answers in the states.

    Converting saved states back is part of what a solve costs. Initial states are converted beforehand:
    the saved ones contain them, so that a conversion of each state is paid for once.

    Parameters
    ----------
    change : ChangeOfCoordinates
    solver : AbstractSolver
        Of the equation in the coordinates, with the corrector trained there.
    """

    change: ChangeOfCoordinates
    solver: AbstractSolver

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.solver.name

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]
        return self.solver.tags

    def supports(self, problem: Problem, control: StepControl) -> str | None:
        return self.solver.supports(self.change.problem(problem), control)

    def prepare(self, problem: Problem, control: StepControl) -> PreparedSolve:
        run = self.solver.prepare(self.change.problem(problem), control)

        def solve() -> Solution:
            solution = run()
            # A lost trajectory is non-finite in either coordinates.
            with np.errstate(all="ignore"):
                return replace(solution, u=self.change.backward(solution.u))

        return solve


def _check(where: str, coordinate: Coordinate, u: Array) -> None:
    m = numpy_maths()
    with np.errstate(all="ignore"):
        v = np.asarray(coordinate.of(u, m))
    if not np.isfinite(v).all():
        bad = float(u[~np.isfinite(v)][0])
        raise AttnsError(f"{where}: the sampled value {bad:g} has no finite coordinate; give the coordinate a floor")
    size = np.abs(u).max()
    gap = np.abs(coordinate.back(v, m) - u).max()
    if not gap <= 1e-9 * size:
        raise AttnsError(f"{where}: backward(forward(u)) differs from u by {gap:.2g}; it must be the inverse")
    step = 1e-5
    slope = (coordinate.backward(v + step, m) - coordinate.backward(v - step, m)) / (2 * step)
    gap = np.abs(coordinate.slope(v, m) - slope).max()
    if not gap <= 1e-6 * np.abs(slope).max():
        raise AttnsError(f"{where}: slope differs from the derivative of backward by {gap:.2g}")
