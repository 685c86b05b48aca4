"""The hooks that a plugin module may implement. Each returns data: an iterable of objects.

A plugin is a module named by an entry point in the group ``attns``; it decorates functions of these
names with :data:`hookimpl`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from attns_core.backend import AbstractBackend
    from attns_core.coordinates import Coordinate
    from attns_core.corrector import Corrector
    from attns_core.equation import Equation
    from attns_core.method import AbstractMethod
    from attns_core.metric import Metric
    from attns_core.recipe import AbstractRecipe
    from attns_core.report import Report
    from attns_core.solver import AbstractSolver

PROJECT = "attns"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def attns_equations() -> "Iterable[Equation]":
    """Equations to register."""
    return ()


@hookspec
def attns_coordinates() -> "Iterable[Coordinate]":
    """Coordinates to register: functions of a component that equations are stepped in instead."""
    return ()


@hookspec
def attns_methods() -> "Iterable[AbstractMethod]":
    """Classical one-step methods to register."""
    return ()


@hookspec
def attns_correctors() -> "Iterable[Corrector]":
    """Correctors (untrained) to register."""
    return ()


@hookspec
def attns_recipes() -> "Iterable[AbstractRecipe]":
    """Training recipes to register."""
    return ()


@hookspec
def attns_backends() -> "Iterable[AbstractBackend]":
    """Backends to register; heavy libraries are imported on use, not here."""
    return ()


@hookspec
def attns_solvers() -> "Iterable[AbstractSolver]":
    """Black-box solvers to register: anything that is not a method on a backend."""
    return ()


@hookspec
def attns_metrics() -> "Iterable[Metric]":
    """Metrics to register: columns of every result table."""
    return ()


@hookspec
def attns_reports() -> "Iterable[Report]":
    """Report formats to register: what ``attns report --format NAME`` writes."""
    return ()
