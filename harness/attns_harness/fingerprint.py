"""Fingerprints of code: what a cell's id covers besides its coordinates.

A fingerprint is a hash of the syntax tree without docstrings, so that comments and formatting do not
make results stale, and a change of what is computed does.
"""

import ast
import hashlib
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from attns_core.corrector import Corrector
from attns_core.equation import Equation
from attns_core.identity import content_hash
from attns_core.registry import PluginRecord, Registry
from attns_harness.cells import Cell, coordinates_of
from attns_harness.specs import Spec

TRAINING = ("dataset", "fitting", "flow", "recipe", "sequence_training", "training")
NO_OUTCOME = (
    "array_cache",
    "black_box",
    "citation",
    # Hashed with the cells that step in coordinates.
    "coordinates",
    "errors",
    "hookspecs",
    "learned_state",
    "loading",
    "plugin",
    "recent",
    "registry",
    "testing",
    "types",
    "version",
    "weights",
)
"""Parts of the core that decide no number: changing them makes nothing stale."""


def file_fingerprint(path: Path) -> str:
    """Hash of one source file's meaning; of its bytes where it is not Python."""
    found = path.stat()
    return _file_fingerprint(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=1024)
def _file_fingerprint(path: Path, _changed: int, _size: int) -> str:
    data = path.read_bytes()
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return hashlib.sha256(data).hexdigest()[:16]
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def files_fingerprint(paths: list[Path]) -> str:
    """Hash over files and the Python files of folders, in order of their names."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.is_file() else []
    return content_hash([[f.name, file_fingerprint(f)] for f in files])


def module_fingerprint(module: str) -> str:
    """Of the file that a loaded module came from; its name where there is none."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return file_fingerprint(Path(file)) if file and Path(file).is_file() else module


class Fingerprints:
    """The code behind every cell of a plan; each piece is hashed once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._cache: dict[Any, Any] = {}
        core = Path(sys.modules["attns_core"].__file__ or "").parent
        parts = sorted(p for p in core.iterdir() if p.stem not in (*TRAINING, *NO_OUTCOME))
        self.numerics = files_fingerprint(parts)
        self.training = files_fingerprint([p for n in TRAINING for p in (core / n, core / f"{n}.py")])
        self.metrics = content_hash(
            [[m.name, module_fingerprint(m.compute.__module__)] for m in registry.all("metric")]
        )

    def of(self, cell: Cell) -> dict[str, Any]:
        """What decides the outcome of a cell besides its coordinates, piece by piece, as JSON."""
        basis: dict[str, Any] = {
            "numerics": self.numerics,
            "metrics": self.metrics,
            "equation": self.equation(cell.problem.equation, cell.problem.params),
        }
        if cell.coordinates is not None:
            basis["coordinates"] = self.coordinates(cell.coordinates)
        if cell.solver is not None:
            basis["solver"] = self._object("solver", cell.solver)
        if cell.method is not None:
            basis["method"] = self.method(cell.method)
        if cell.backend is not None:
            basis["backend"] = self._object("backend", cell.backend)
        if cell.training is not None and cell.training.corrector is not None and cell.training.recipe is not None:
            basis["corrector"] = self.corrector(cell.training.corrector)
            basis["recipe"] = self.recipe(cell.training.recipe)
            basis["training"] = self.training
        return basis

    def equation(self, name: str, params: Any) -> str:
        key = ("equation", name, content_hash(params))
        if key not in self._cache:
            equation: Equation = self._registry.equation(name, **params)
            self._cache[key] = content_hash(
                [equation.identity(), module_fingerprint(equation.rhs.__module__), self._owner("equation", name)]
            )
        return self._cache[key]

    def coordinates(self, chosen: Mapping[str, Spec]) -> str:
        found = {c: coordinate.identity() for c, coordinate in coordinates_of(chosen, self._registry).items()}
        return content_hash([found, module_fingerprint("attns_core.coordinates")])

    def method(self, name: str) -> str:
        key = ("method", name)
        if key not in self._cache:
            self._cache[key] = content_hash([self._registry.method(name).identity(), self._owner("method", name)])
        return self._cache[key]

    def corrector(self, spec: Spec) -> str:
        key = ("corrector", spec.label, content_hash(spec.options))
        if key not in self._cache:
            corrector: Corrector = self._registry.corrector(spec.name, **spec.options)
            self._cache[key] = content_hash([corrector.identity(), self._owner("corrector", spec.name)])
        return self._cache[key]

    def recipe(self, spec: Spec) -> str:
        key = ("recipe", spec.label, content_hash(spec.options))
        if key not in self._cache:
            recipe = self._registry.get("recipe", spec.name)
            recipe = recipe.with_options(**spec.options) if spec.options else recipe
            code = module_fingerprint(type(recipe).__module__)
            self._cache[key] = content_hash([recipe.identity(), code, self._owner("recipe", spec.name)])
        return self._cache[key]

    def _object(self, kind: str, name: str) -> str:
        key = (kind, name)
        if key not in self._cache:
            value = self._registry.get(kind, name)
            options = value.options() if kind == "backend" else {}
            code = module_fingerprint(type(value).__module__)
            # A black box made by a decorator lives in our module; its author's file is the owner's.
            self._cache[key] = content_hash([code, self._owner(kind, name), repr(sorted(options.items()))])
        return self._cache[key]

    def _owner(self, kind: str, name: str) -> list[str]:
        record: PluginRecord = self._registry.owner(kind, name)
        path = Path(record.source)
        if record.distribution:
            module = module_fingerprint(record.source) if kind == "solver" else ""
            return [record.distribution, record.version, module]
        return [path.name, file_fingerprint(path) if path.is_file() else ""]
