"""What a plugin is to the registry: the kinds of things it may register, and a record of where it came from."""

import importlib
from dataclasses import dataclass, field
from typing import Any, final


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that plugins register: its name, its hook, and the type every object must have."""

    name: str
    hook: str
    module: str
    type_name: str

    def accepts(self, value: Any) -> bool:
        return isinstance(value, getattr(importlib.import_module(self.module), self.type_name))


KINDS = (
    Kind("equation", "attns_equations", "attns_core.equation", "Equation"),
    Kind("coordinate", "attns_coordinates", "attns_core.coordinates", "Coordinate"),
    Kind("method", "attns_methods", "attns_core.method", "AbstractMethod"),
    Kind("corrector", "attns_correctors", "attns_core.corrector", "Corrector"),
    Kind("recipe", "attns_recipes", "attns_core.recipe", "AbstractRecipe"),
    Kind("backend", "attns_backends", "attns_core.backend", "AbstractBackend"),
    Kind("solver", "attns_solvers", "attns_core.solver", "AbstractSolver"),
    Kind("metric", "attns_metrics", "attns_core.metric", "Metric"),
    Kind("report", "attns_reports", "attns_core.report", "Report"),
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRecord:
    """Where a plugin came from and what became of it.

    Parameters
    ----------
    name : str
        Entry-point name, or the file's stem.
    distribution, version : str
        Of the installed distribution; empty for a single file.
    source : str
        ``module`` of the entry point or path of the file.
    error : str
        Empty when it loaded; else a one-line reason.
    traceback : str
        The full traceback of the failure.
    provides : dict
        Kind -> names registered.
    """

    name: str
    source: str
    distribution: str = ""
    version: str = ""
    error: str = ""
    traceback: str = ""
    provides: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.error

    @property
    def origin(self) -> str:
        """``distribution version``, or the file."""
        return f"{self.distribution} {self.version}".strip() or self.source
