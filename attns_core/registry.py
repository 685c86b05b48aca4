"""The registry: finds plugins, loads each on its own, and answers look-ups by name.

One broken plugin costs itself and nothing else: it is recorded with its distribution, version and
traceback, and the rest works.
"""

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, final

import pluggy

from attns_core import hookspecs
from attns_core.errors import AttnsError, UnknownNameError

ENVIRONMENT_VARIABLE = "ATTNS_LOAD_PLUGINS"


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
    Kind("method", "attns_methods", "attns_core.method", "AbstractMethod"),
    Kind("corrector", "attns_correctors", "attns_core.corrector", "Corrector"),
    Kind("recipe", "attns_recipes", "attns_core.recipe", "AbstractRecipe"),
    Kind("backend", "attns_backends", "attns_core.backend", "AbstractBackend"),
    Kind("solver", "attns_solvers", "attns_core.solver", "AbstractSolver"),
    Kind("metric", "attns_metrics", "attns_core.metric", "Metric"),
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
        error = UnknownNameError(kind, name, known)
        broken = [r.name for r in self.plugins if not r.ok]
        if broken:
            error.args = (f"{error.args[0]} (not loaded: {', '.join(broken)}; see 'attns plugins')",)
        raise error

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

    def backend(self, name: str) -> Any:
        return self.get("backend", name)

    def solver(self, name: str, *, backend: str = "numba", dtype: str = "float64") -> Any:
        """A black-box solver of that name, or the method of that name on a backend."""
        from attns_core.solver import OneStepSolver

        if name in self._of("solver"):
            return self._of("solver")[name]
        if name not in self._of("method"):
            raise UnknownNameError("solver or method", name, [*self._of("solver"), *self._of("method")])
        return OneStepSolver(method=self.method(name), backend=self.backend(backend), dtype=dtype)

    def owner(self, kind: str, name: str) -> PluginRecord:
        """The plugin that registered a name."""
        return self.owners[kind, name]

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
        Single-file plugins, loaded after the installed ones.
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
        Two plugins register the same name of one kind; ``only`` names an unknown plugin; a plugin file
        does not exist; anything broken, if ``strict``.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    for spec in specs:
        manager.add_hookspecs(spec)
    registry = Registry((), tuple(kinds), {k.name: {} for k in kinds}, {})
    records: list[PluginRecord] = []
    for record, load in _candidates(found, only, plugin_files):
        try:
            provides = _load(manager, record, load, registry)
            record = _with(record, provides=provides)
        except _DuplicateNameError as error:
            raise AttnsError(str(error)) from None
        except (Exception, SystemExit) as error:
            if strict:
                raise AttnsError(f"plugin {record.name!r} ({record.origin}) failed to load: {error}") from error
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            record = _with(record, error=reason, traceback=traceback.format_exc())
        records.append(record)
        for kind, names in record.provides.items():
            for name in names:
                registry.owners[kind, name] = record
    return Registry(tuple(records), registry.kinds, registry.objects, registry.owners)


class _DuplicateNameError(Exception):
    pass


def _with(record: PluginRecord, **changes: Any) -> PluginRecord:
    from dataclasses import replace

    return replace(record, **changes)


def _candidates(
    found: Iterable[EntryPoint] | None, only: Iterable[str] | None, files: Sequence[str | Path]
) -> Iterator[tuple[PluginRecord, Any]]:
    points = sorted(entry_points(group=hookspecs.PROJECT) if found is None else found, key=lambda e: e.name)
    if only is None and ENVIRONMENT_VARIABLE in os.environ:
        only = [n.strip() for n in os.environ[ENVIRONMENT_VARIABLE].split(",") if n.strip()]
    if only is not None:
        wanted = set(only)
        for name in sorted(wanted - {p.name for p in points}):
            raise UnknownNameError(f"plugin (in {ENVIRONMENT_VARIABLE})", name, [p.name for p in points])
        points = [p for p in points if p.name in wanted]
    for point in points:
        dist = point.dist
        yield (
            PluginRecord(
                name=point.name,
                source=point.value,
                distribution=dist.name if dist else "",
                version=dist.version if dist else "",
            ),
            point.load,
        )
    for file in files:
        path = Path(file)
        if not path.is_file():
            raise AttnsError(f"plugin file {str(path)!r} does not exist")
        yield PluginRecord(name=path.stem, source=str(path.resolve())), lambda path=path: _import_file(path)


def _import_file(path: Path) -> ModuleType:
    name = f"attns_file_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise AttnsError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Registered before execution so that dataclasses and pickling find the module by name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _load(
    manager: pluggy.PluginManager, record: PluginRecord, load: Any, registry: Registry
) -> dict[str, tuple[str, ...]]:
    module = load()
    unique = f"{record.name} ({record.origin})"
    manager.register(module, name=unique)
    try:
        manager.check_pending()
        collected = _collect(manager, module, registry)
    except BaseException:
        manager.unregister(module)
        raise
    for kind, values in collected.items():
        for name, value in values.items():
            if name in registry.objects[kind]:
                other = registry.owners[kind, name]
                raise _DuplicateNameError(
                    f"two plugins register the {kind} {name!r}: {other.name} ({other.origin}) and "
                    f"{record.name} ({record.origin}); rename one, or restrict what loads with {ENVIRONMENT_VARIABLE}"
                )
            registry.objects[kind][name] = value
    return {kind: tuple(values) for kind, values in collected.items() if values}


def _collect(manager: pluggy.PluginManager, module: Any, registry: Registry) -> dict[str, dict[str, Any]]:
    others = [p for p in manager.get_plugins() if p is not module]
    collected: dict[str, dict[str, Any]] = {}
    for kind in registry.kinds:
        caller = manager.subset_hook_caller(kind.hook, others)
        values: dict[str, Any] = {}
        for value in (v for result in caller() for v in result):
            if not kind.accepts(value):
                raise TypeError(f"{kind.hook} must return {kind.type_name} objects, got {type(value).__name__}")
            if value.name in values:
                raise ValueError(f"{kind.hook} returns {value.name!r} twice")
            values[value.name] = value
        collected[kind.name] = values
    return collected
