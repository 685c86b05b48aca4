"""Solvers for equations that no general method serves: one file each, plus one line here."""

from attns_core import hookimpl
from attns_core.black_box import BlackBoxSolver
from attns_plugins.solvers.bilinear_table import BILINEAR_TABLES
from attns_plugins.solvers.fitted_force import FITTED_FORCES
from attns_plugins.solvers.stick_slip_events import STICK_SLIP_EVENTS

SOLVERS: tuple[BlackBoxSolver, ...] = (*BILINEAR_TABLES, *FITTED_FORCES, STICK_SLIP_EVENTS)


@hookimpl
def attns_solvers() -> tuple[BlackBoxSolver, ...]:
    return SOLVERS
