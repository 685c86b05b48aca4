"""Fingerprints of code: what a cell's id covers besides its coordinates.

A fingerprint is a hash of the syntax tree without docstrings, so that comments and formatting do not
make results stale, and a change of what is computed does.
"""

import ast
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import attns_core
from attns_core.corrector import Corrector
from attns_core.equation import Equation
from attns_core.identity import content_hash
from attns_core.registry import PluginRecord, Registry
from attns_harness.cells import Cell, coordinates_of
from attns_harness.imported_code import ImportedCode, source_file
from attns_harness.specs import Spec

CORE = "attns_core"
TRAINING = ("dataset", "fitting", "flow", "recipe", "sequence_training", "training")
"""Parts of the core that decide weights alone: of them, a recipe's cells are hashed with what it imports."""
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
    """Of the file that a module comes from; its name where there is none."""
    file = source_file(module)
    return file_fingerprint(file) if file else module


class Fingerprints:
    """The code behind every cell of a plan; each piece is hashed once.

    All of the core that computes solutions is one piece, so that a change of it makes every cell stale. What is
    registered, and the core's part in training, is hashed with what it imports: a change of one recipe, or of a
    file that only it uses, leaves the weights of the others as they are.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._cache: dict[Any, Any] = {}
        self._imported = ImportedCode(CORE, without=tuple(f"{CORE}.{name}" for name in NO_OUTCOME))
        folder = Path(attns_core.__file__).parent
        self.numerics = files_fingerprint(sorted(p for p in folder.iterdir() if p.stem not in (*TRAINING, *NO_OUTCOME)))
        self.training = content_hash([self.code(f"{CORE}.{n}") for n in ("training", "sequence_training")])
        self.metrics = content_hash([[m.name, self.code(m.compute.__module__)] for m in registry.all("metric")])

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
            basis["solver"] = self.registered("solver", cell.solver)
        if cell.method is not None:
            basis["method"] = self.method(cell.method)
        if cell.backend is not None:
            basis["backend"] = self.registered("backend", cell.backend)
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
            code = self.code(type(recipe).__module__)
            self._cache[key] = content_hash([recipe.identity(), code, self._owner("recipe", spec.name)])
        return self._cache[key]

    def registered(self, kind: str, name: str) -> str:
        key = (kind, name)
        if key not in self._cache:
            value = self._registry.get(kind, name)
            options = value.options() if kind == "backend" else {}
            code = self.code(_home(value, self._registry.owner(kind, name)))
            self._cache[key] = content_hash([code, self._owner(kind, name), repr(sorted(options.items()))])
        return self._cache[key]

    def code(self, module: str) -> str:
        """Of the file of a module and of those that it imports from its own package and the core, numerics left out.

        By the files' names: a plugin file is the same wherever it lies.
        """
        files = (source_file(name) for name in self._imported.modules(module) if not _computes(name))
        return files_fingerprint([path for path in files if path is not None])

    def _owner(self, kind: str, name: str) -> list[str]:
        record: PluginRecord = self._registry.owner(kind, name)
        path = Path(record.source)
        if record.distribution:
            return [record.distribution, record.version]
        return [path.name, file_fingerprint(path) if path.is_file() else ""]


def _computes(module: str) -> bool:
    """Whether it is the core's and among the numerics."""
    package, _, rest = module.partition(".")
    return package == CORE and rest.partition(".")[0] not in TRAINING


def _home(value: Any, record: PluginRecord) -> str:
    """Module that its author wrote it in: a black box is an object of the core, its implementation is not.

    The plugin's own module for an object of another library, such as a partial function.
    """
    module = getattr(value, "implementation", value).__module__
    own = (CORE, record.source.partition(".")[0])
    if record.distribution and module.partition(".")[0] not in own:
        return record.source.partition(":")[0]
    return module
