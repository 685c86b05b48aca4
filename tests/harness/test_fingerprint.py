"""What makes a result stale: the code that it rests on, wherever that is written, and nothing else."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attns_harness import fingerprint
from attns_harness.fingerprint import Fingerprints
from attns_harness.imported_code import ImportedCode, source_file
from attns_harness.specs import Spec

from attns_core import build_registry
from attns_core.registry import Registry

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
    assert with_another(uses, registry, spec, monkeypatch) != before
    assert with_another(does_not, registry, spec, monkeypatch) == before


def with_another(module: str, registry: Registry, spec: Spec, monkeypatch: pytest.MonkeyPatch) -> str:
    """Fingerprint of a recipe as if one module were written otherwise."""
    found = fingerprint.module_fingerprint
    with monkeypatch.context() as patch:
        patch.setattr(fingerprint, "module_fingerprint", lambda name: "other" if name == module else found(name))
        return Fingerprints(registry).recipe(spec)


def test_a_black_box_is_hashed_with_the_file_of_its_implementation(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = build_registry()
    before = Fingerprints(registry).registered("solver", "stick-slip-events")
    found = fingerprint.module_fingerprint
    changed = "attns_plugins.solvers.stick_slip_events"
    monkeypatch.setattr(fingerprint, "module_fingerprint", lambda name: "other" if name == changed else found(name))
    assert Fingerprints(registry).registered("solver", "stick-slip-events") != before
