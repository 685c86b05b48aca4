"""The registry: finds plugins, loads each on its own, and answers look-ups by name.

One broken plugin costs itself and nothing else: it is recorded with its distribution, version and
traceback, and the rest works.
"""

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, final

import pluggy

from attns_core import hookspecs
from attns_core.errors import AttnsError, UnknownNameError
from attns_core.loading import ENVIRONMENT_VARIABLE as ENVIRONMENT_VARIABLE
from attns_core.loading import candidates, describe, load_plugin
from attns_core.plugin import KINDS as KINDS
from attns_core.plugin import Kind as Kind
from attns_core.plugin import PluginRecord as PluginRecord


@final
@dataclass(frozen=True, eq=False)
class Registry:
    """Everything that loaded plugins registered, by kind and name."""

    plugins: tuple[PluginRecord, ...]
    kinds: tuple[Kind, ...]
    objects: dict[str, dict[str, Any]]
    owners: dict[tuple[str, str], PluginRecord]

    def names(self, kind: str) -> list[str]:
        """Registered names of a kind, sorted."""
        return sorted(self._of(kind))

    def all(self, kind: str) -> list[Any]:
        """Registered objects of a kind, sorted by name."""
        return [value for _, value in sorted(self._of(kind).items())]

    def get(self, kind: str, name: str) -> Any:
        """The object registered under ``name``.

        Raises
        ------
        UnknownNameError
            With the nearest names; if a plugin failed to load, the message says so.
        """
        known = self._of(kind)
        if name in known:
            return known[name]
        raise self._unknown(kind, name, known)

    def equation(self, name: str, **params: Any) -> Any:
        """An equation, with parameters overridden where given."""
        equation = self.get("equation", name)
        return equation.with_params(**params) if params else equation

    def method(self, name: str) -> Any:
        return self.get("method", name)

    def corrector(self, name: str, **options: Any) -> Any:
        """An untrained corrector, with options changed where given."""
        corrector = self.get("corrector", name)
        return corrector.with_options(**options) if options else corrector

    def coordinate(self, name: str, **options: Any) -> Any:
        """A coordinate, with options changed where given."""
        coordinate = self.get("coordinate", name)
        return coordinate.with_options(**options) if options else coordinate

    def backend(self, name: str) -> Any:
        return self.get("backend", name)

    def solver(self, name: str, *, backend: str = "numba", dtype: str = "float64") -> Any:
        """A black-box solver of that name, or the method of that name on a backend."""
        from attns_core.solver import OneStepSolver

        if name in self._of("solver"):
            return self._of("solver")[name]
        if name not in self._of("method"):
            raise self._unknown("solver or method", name, [*self._of("solver"), *self._of("method")])
        return OneStepSolver(method=self.method(name), backend=self.backend(backend), dtype=dtype)

    def owner(self, kind: str, name: str) -> PluginRecord:
        """The plugin that registered a name."""
        return self.owners[kind, name]

    def _unknown(self, kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
        error = UnknownNameError(kind, name, known)
        broken = [r.name for r in self.plugins if not r.ok]
        if broken:
            error.args = (f"{error.args[0]} (not loaded: {', '.join(broken)}; see 'attns plugins')",)
        return error

    def _of(self, kind: str) -> dict[str, Any]:
        try:
            return self.objects[kind]
        except KeyError:
            raise UnknownNameError("kind", kind, self.objects) from None


def build_registry(
    *,
    plugin_files: Sequence[str | Path] = (),
    only: Iterable[str] | None = None,
    kinds: Sequence[Kind] = KINDS,
    specs: Sequence[Any] = (hookspecs,),
    found: Iterable[EntryPoint] | None = None,
    strict: bool = False,
) -> Registry:
    """Load plugins and collect what they register. No global state: every call returns a new registry.

    Parameters
    ----------
    plugin_files : sequence of path
        Single-file plugins or package folders, loaded after the installed ones. They were asked for by
        name, so one that does not load is an error.
    only : iterable of str, optional
        Entry-point names to load; default the comma-separated list in ``ATTNS_LOAD_PLUGINS`` where
        that is set (empty: none), else all.
    kinds, specs
        What may be registered; the harness passes its own in addition to the core's.
    found : iterable of EntryPoint, optional
        Entry points to consider instead of the installed ones.
    strict : bool
        Raise for the first broken plugin instead of recording it.

    Raises
    ------
    AttnsError
        ``only`` names an unknown plugin; a plugin file does not exist or does not load; anything
        broken, if ``strict``.

    Notes
    -----
    Plugins load in the order: AttNS's own, other distributions by name, files. A plugin that registers
    a name already taken is not loaded at all, and its record names both owners.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    for spec in specs:
        manager.add_hookspecs(spec)
    registry = Registry((), tuple(kinds), {k.name: {} for k in kinds}, {})
    records: list[PluginRecord] = []
    for record, load, is_file in candidates(found, only, plugin_files):
        try:
            loaded = replace(record, provides=load_plugin(manager, record, load, registry))
        except (Exception, SystemExit) as error:
            if strict or is_file:
                raise AttnsError(
                    f"plugin {record.name!r} ({record.origin}) failed to load: {describe(error)}"
                ) from error
            loaded = replace(record, error=describe(error), traceback=traceback.format_exc())
        records.append(loaded)
        for kind, names in loaded.provides.items():
            for name in names:
                registry.owners[kind, name] = loaded
    return Registry(tuple(records), registry.kinds, registry.objects, registry.owners)
