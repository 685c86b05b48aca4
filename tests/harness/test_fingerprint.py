"""What makes a result stale: the code that it rests on, wherever that is written, and nothing else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attns_harness import fingerprint
from attns_harness.fingerprint import Fingerprints
from attns_harness.imported_code import ImportedCode, source_file
from attns_harness.specs import Spec

from attns_core import build_registry

PACKAGE = {
    "__init__.py": "from third_party.recipes import one, two\n",
    "recipes/__init__.py": "",
    "recipes/one.py": "from third_party import shared\n\ndef train():\n    from third_party import late\n",
    "recipes/two.py": "from attns_core.fitting import ridge\n",
    "shared.py": "SHARED = 1\n",
    "late.py": "LATE = 1\n",
    "unused.py": "UNUSED = 1\n",
}


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of several files that can be imported; what an earlier test imported of it is forgotten."""
    folder = tmp_path / "third_party"
    for name, text in PACKAGE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [m for m in sys.modules if m.partition(".")[0] == "third_party"]:
        del sys.modules[name]


def code_of(module: str) -> str:
    return Fingerprints(build_registry()).code(module)


def test_imports_are_followed_into_functions_and_not_to_what_only_others_use(third_party: Path) -> None:
    assert ImportedCode().modules("third_party.recipes.one") == [
        "third_party.late",
        "third_party.recipes.one",
        "third_party.shared",
    ]


def test_imports_of_the_core_are_followed_where_it_is_a_root(third_party: Path) -> None:
    reached = ImportedCode("attns_core", without=("attns_core.errors",)).modules("third_party.recipes.two")
    assert "attns_core.fitting.ridge" in reached
    assert "attns_core.errors" not in reached
    assert "attns_core.fitting.varpro" not in reached


@pytest.mark.parametrize("file", ["shared.py", "late.py", "recipes/one.py"])
def test_a_change_of_what_is_imported_is_noticed(third_party: Path, file: str) -> None:
    before = code_of("third_party.recipes.one")
    (third_party / file).write_text(PACKAGE[file] + "CHANGED = True\n", encoding="utf-8")
    assert code_of("third_party.recipes.one") != before


@pytest.mark.parametrize("file", ["unused.py", "recipes/two.py", "__init__.py"])
def test_a_change_of_what_is_not_imported_is_not(third_party: Path, file: str) -> None:
    before = code_of("third_party.recipes.one")
    (third_party / file).write_text(PACKAGE[file] + "CHANGED = True\n", encoding="utf-8")
    assert code_of("third_party.recipes.one") == before


def test_a_module_of_no_package_stands_for_itself() -> None:
    assert ImportedCode().modules("no_such_module_anywhere") == ["no_such_module_anywhere"]
    assert source_file("no_such_module_anywhere") is None
    assert source_file("sys") is None


def test_a_package_that_does_not_parse_stands_for_itself(third_party: Path) -> None:
    (third_party / "unused.py").write_text("def (:\n", encoding="utf-8")
    assert ImportedCode().modules("third_party.shared") == ["third_party.shared"]


@pytest.mark.parametrize(
    ("recipe", "uses", "does_not"),
    [
        ("tableau-lm", "attns_core.fitting.tableau_search", "attns_core.fitting.varpro"),
        ("varpro-lm", "attns_core.fitting.varpro", "attns_core.fitting.tableau_search"),
        ("rollout", "attns_plugins.recipes.lsq", "attns_plugins.recipes.tableau_lm"),
    ],
)
def test_a_recipe_is_hashed_with_the_files_that_it_uses(
    recipe: str, uses: str, does_not: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Spec(name=recipe)
    registry = build_registry()
    before = Fingerprints(registry).recipe(spec)
    with written_otherwise(uses, monkeypatch):
        assert Fingerprints(registry).recipe(spec) != before
    with written_otherwise(does_not, monkeypatch):
        assert Fingerprints(registry).recipe(spec) == before


@contextmanager
def written_otherwise(module: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the file of one module were another."""
    found, changed = fingerprint.file_fingerprint, source_file(module)
    assert changed is not None
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "file_fingerprint", lambda path: "other" if path == changed else found(path))
        yield


@pytest.mark.parametrize(
    ("name", "uses", "does_not"),
    [
        ("stick-slip-events", "attns_plugins.solvers.stick_slip_events", "attns_plugins.solvers"),
        ("srkn11-fitted-force-5", "attns_plugins.methods.srkn11", "attns_plugins.solvers.bilinear_table"),
    ],
)
def test_a_black_box_is_hashed_with_the_files_of_its_implementation(
    name: str, uses: str, does_not: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = build_registry()
    before = Fingerprints(registry).registered("solver", name)
    with written_otherwise(uses, monkeypatch):
        assert Fingerprints(registry).registered("solver", name) != before
    with written_otherwise(does_not, monkeypatch):
        assert Fingerprints(registry).registered("solver", name) == before


def test_a_backend_of_the_core_does_not_rest_on_the_list_that_it_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = build_registry()
    before = Fingerprints(registry).registered("backend", "numba")
    with written_otherwise("attns_plugins.backends", monkeypatch):
        assert Fingerprints(registry).registered("backend", "numba") == before


FILE = """
from dataclasses import dataclass
from attns_core import black_box, hookimpl
from attns_core.recipe import AbstractRecipe

@black_box(name="still")
def still(problem, control):
    return [problem.u0 for _ in problem.t_save]

@dataclass(frozen=True, kw_only=True)
class Nothing(AbstractRecipe):
    name: str = "nothing"
    title: str = "Nothing"

    def identity(self):
        return {"name": self.name}

    def with_options(self, **options):
        return self

    def fit(self, corrector, dataset, *, seed, progress=None):
        raise NotImplementedError

@hookimpl
def attns_solvers():
    return [still]

@hookimpl
def attns_recipes():
    return [Nothing()]
"""


def test_a_plugin_file_is_the_same_wherever_it_lies_and_whatever_it_remarks(tmp_path: Path) -> None:
    def hashed(folder: str, text: str) -> tuple[str, str]:
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
        found = Fingerprints(build_registry(plugin_files=[path]))
        return found.registered("solver", "still"), found.recipe(Spec(name="nothing"))

    here = hashed("here", FILE)
    assert hashed("there", FILE) == here
    assert hashed("remarked", FILE + "# a comment\n") == here
    changed = hashed("changed", FILE + "CHANGED = True\n")
    assert changed[0] != here[0]
    assert changed[1] != here[1]
