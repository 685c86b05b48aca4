"""Loading plugins: finding them, importing each on its own, and checking what its hooks return."""

import hashlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from attns_core import hookspecs
from attns_core.errors import AttnsError, UnknownNameError
from attns_core.plugin import Kind, PluginRecord
from attns_core.version import __version__

if TYPE_CHECKING:
    from attns_core.registry import Registry

ENVIRONMENT_VARIABLE = "ATTNS_LOAD_PLUGINS"

# Names appear in files, on command lines and in reports; no character that any of these treats.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


def describe(error: BaseException) -> str:
    """One line: the error's type, message and, where it was raised outside AttNS, its place."""
    text = " ".join(str(error).split()) or "no message"
    if isinstance(error, PluginError):
        return text
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{place}"


class PluginError(Exception):
    """What is wrong with a plugin, in words for its author; needs no type or place in front."""


def candidates(
    found: Iterable[EntryPoint] | None, only: Iterable[str] | None, files: Sequence[str | Path]
) -> Iterator[tuple[PluginRecord, Callable[[], Any], bool]]:
    points = list(entry_points(group=hookspecs.PROJECT) if found is None else found)
    points.sort(key=lambda e: (_distribution(e)[0] != hookspecs.PROJECT, _distribution(e), e.name))
    if only is None and ENVIRONMENT_VARIABLE in os.environ:
        only = [n.strip() for n in os.environ[ENVIRONMENT_VARIABLE].split(",") if n.strip()]
    if only is not None:
        wanted = set(only)
        for name in sorted(wanted - {p.name for p in points}):
            raise UnknownNameError(f"plugin (in {ENVIRONMENT_VARIABLE})", name, [p.name for p in points])
        points = [p for p in points if p.name in wanted]
    for point in points:
        distribution, version = _distribution(point)
        record = PluginRecord(name=point.name, source=point.value, distribution=distribution, version=version)
        yield record, point.load, False
    for file in files:
        path = Path(file)
        if path.is_dir():
            path = path / "__init__.py"
        if not path.is_file():
            raise AttnsError(
                f"plugin {str(file)!r} does not exist: give a Python file, or a folder with an __init__.py"
            )
        stem = path.parent.name if path.name == "__init__.py" else path.stem
        yield PluginRecord(name=stem, source=str(path.resolve())), partial(_import_file, path, stem), True


def _distribution(point: EntryPoint) -> tuple[str, str]:
    return (point.dist.name, point.dist.version) if point.dist else ("", "")


def _import_file(path: Path, stem: str) -> ModuleType:
    # The name depends on place and content: files of one stem do not collide, the same file is one
    # module however often it is loaded, and a worker process arrives at the same name.
    digest = hashlib.sha256(str(path.resolve()).encode() + path.read_bytes()).hexdigest()[:8]
    name = f"attns_file_plugin_{re.sub(r'[^0-9A-Za-z_]', '_', stem)}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    search = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Registered before execution so that dataclasses and pickling find the module by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def load_plugin(
    manager: pluggy.PluginManager, record: PluginRecord, load: Callable[[], Any], registry: "Registry"
) -> dict[str, tuple[str, ...]]:
    module = load()
    known = {kind.hook: kind for kind in registry.kinds}
    _check_hooks(manager, module, list(known))
    manager.register(module, name=f"{record.name} ({record.origin})")
    try:
        collected = {kind.name: _collect(manager, module, kind) for kind in registry.kinds}
        _check_duplicates(record, collected, registry)
    except BaseException:
        manager.unregister(module)
        raise
    for kind, values in collected.items():
        registry.objects[kind].update(values)
    return {kind: tuple(values) for kind, values in collected.items() if values}


def _check_hooks(manager: pluggy.PluginManager, module: Any, known: list[str]) -> None:
    """Refuse hooks that this version does not call: misspelt ones, and those of a later version."""
    for name in dir(module):
        options = manager.parse_hookimpl_opts(module, name)
        if options is None:
            continue
        hook = options.get("specname") or name
        if hook not in known:
            near = get_close_matches(hook, known, n=1, cutoff=0.8)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}"
            raise PluginError(
                f"AttNS {__version__} has no hook {hook!r}; {hint} "
                "(a plugin written for a later AttNS needs that version)"
            )
        accepted = set(getattr(manager.hook, hook).spec.argnames)
        unknown = [a for a in _arguments(getattr(module, name)) if a not in accepted]
        if unknown:
            takes = ", ".join(sorted(accepted)) or "no arguments"
            raise PluginError(
                f"hook {hook!r} asks for {', '.join(unknown)}, which AttNS {__version__} does not pass "
                f"(it passes {takes}); a plugin written for a later AttNS needs that version"
            )


def _arguments(function: Any) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]


def _collect(manager: pluggy.PluginManager, module: Any, kind: Kind) -> dict[str, Any]:
    others = [p for p in manager.get_plugins() if p is not module]
    values: dict[str, Any] = {}
    for result in manager.subset_hook_caller(kind.hook, others)():
        if isinstance(result, str) or not isinstance(result, Iterable):
            raise PluginError(
                f"{kind.hook} must return an iterable of {kind.type_name} objects, got {type(result).__name__}"
            )
        for value in result:
            if not kind.accepts(value):
                got = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
                raise PluginError(f"{kind.hook} must return {kind.type_name} objects, got {got}")
            name = getattr(value, "name", None)
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise PluginError(
                    f"{kind.hook}: {name!r} is not a name; use letters, digits and . _ - + "
                    "(no spaces), starting with a letter or digit"
                )
            if name in values:
                raise PluginError(f"{kind.hook} returns {name!r} twice")
            values[name] = value
    return values


def _check_duplicates(record: PluginRecord, collected: dict[str, dict[str, Any]], registry: "Registry") -> None:
    for kind, values in collected.items():
        for name in values:
            if name in registry.objects[kind]:
                other = registry.owners[kind, name]
                raise PluginError(
                    f"two plugins register the {kind} {name!r}: {other.name} ({other.origin}) and "
                    f"{record.name} ({record.origin}); rename one, or restrict what loads with {ENVIRONMENT_VARIABLE}"
                )
