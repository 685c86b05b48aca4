"""Code that a module's outcome rests on: its own file and what it imports, at its top or inside its functions."""

import importlib.util
import sys
from pathlib import Path

import grimp
from grimp.exceptions import GrimpException


class ImportedCode:
    """Imports among packages, read from their source files once; nothing is run.

    Parameters
    ----------
    roots : str
        Top-level packages whose imports are followed besides those of the package that is asked about.
    without : sequence of str
        Modules that are not followed and not listed.
    """

    def __init__(self, *roots: str, without: tuple[str, ...] = ()) -> None:
        self._roots = roots
        self._without = without
        self._graphs: dict[str, grimp.ImportGraph | None] = {}

    def modules(self, module: str) -> list[str]:
        """``module`` and all that it imports from its own package and the roots, directly or not, in order.

        Only ``module`` where it belongs to no package: a single file, a notebook.
        """
        graph = self._graph(module.partition(".")[0])
        if graph is None or module not in graph.modules:
            return [module]
        return sorted({module, *graph.find_upstream_modules(module)})

    def _graph(self, package: str) -> grimp.ImportGraph | None:
        if package not in self._graphs:
            self._graphs[package] = self._read(package)
        return self._graphs[package]

    def _read(self, package: str) -> grimp.ImportGraph | None:
        try:
            graph = grimp.build_graph(package, *(r for r in self._roots if r != package), cache_dir=None)
        except (GrimpException, ValueError):  # no package: a single file, one that does not parse
            return None
        for name in self._without:
            if name in graph.modules:
                graph.remove_module(name)
        return graph


def source_file(module: str) -> Path | None:
    """File that a module comes from, imported or not; None where there is none."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        name = getattr(loaded, "__file__", None)
    else:
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            return None
        name = found.origin if found and found.has_location else None
    return Path(name) if name and Path(name).is_file() else None
