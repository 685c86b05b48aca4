"""The registry: one broken plugin costs itself and nothing else, and every error names value, place and remedy."""

import pickle
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from attns_core import AttnsError, Registry, UnknownNameError, build_registry

EQUATION = """
from attns_core import Citation, Equation, hookimpl

def rhs(t, u, p, m):
    return (-p.k * u[0],)

def sample(p, rng, n):
    return rng.uniform(1, 2, (1, n))

DECAY = Equation(name={name!r}, title="Decay", description="Exponential decay.", rhs=rhs, components=("x",),
                 sample=sample, params={{"k": 1.0}}, t_end=1.0, dts=(0.1,),
                 citation=Citation(key="d", authors="A", title="T", where="W", year=2000))

@hookimpl
def attns_equations():
    return (DECAY,)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Site"]:
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


class Site:
    """A folder of fake installed distributions, each with one plugin module."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, source: str, version: str = "1.0") -> None:
        module = name.replace("-", "_")
        (self.folder / f"{module}.py").write_text(source)
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[attns]\n{name} = {module}\n")

    def points(self) -> list[EntryPoint]:
        from importlib.metadata import distributions

        return [e for d in distributions(path=[str(self.folder)]) for e in d.entry_points]

    def build(self, **options: object) -> Registry:
        return build_registry(found=self.points(), **options)  # type: ignore[arg-type]


def test_built_in_plugins_load_through_the_same_hooks() -> None:
    registry = build_registry()
    assert [r.name for r in registry.plugins if not r.ok] == []
    assert registry.owner("equation", "lorenz-63").distribution == "attns"
    assert registry.owner("equation", "lorenz-63").provides["equation"]


BROKEN = {
    "missing import": ("import attns_no_such_library", "ModuleNotFoundError: No module named 'attns_no_such_library'"),
    "raises at import": ("raise ValueError('no licence file')", "ValueError: no licence file"),
    "exits at import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "raises in a hook": (
        "from attns_core import hookimpl\n@hookimpl\ndef attns_equations():\n    raise RuntimeError('table missing')",
        "RuntimeError: table missing (broken_one.py, line 4)",
    ),
    "misspelt hook": (
        "from attns_core import hookimpl\n@hookimpl\ndef attns_equation(): return ()",
        "no hook 'attns_equation'; did you mean 'attns_equations'?",
    ),
    "hook of a later version": (
        "from attns_core import hookimpl\n@hookimpl\ndef attns_operators(): return ()",
        "a plugin written for a later AttNS needs that version",
    ),
    "argument of a later version": (
        "from attns_core import hookimpl\n@hookimpl\ndef attns_solvers(devices): return ()",
        "hook 'attns_solvers' asks for devices",
    ),
    "wrong type": (
        "from attns_core import hookimpl\n@hookimpl\ndef attns_methods(): return ('rk4',)",
        "attns_methods must return AbstractMethod objects, got str",
    ),
    "not iterable": (
        "from attns_core import hookimpl\n@hookimpl\ndef attns_methods(): return 3",
        "attns_methods must return an iterable of AbstractMethod objects, got int",
    ),
    "a name with spaces": (EQUATION.format(name="my decay"), "'my decay' is not a name"),
    "one name twice": (
        EQUATION.format(name="decay").replace("(DECAY,)\n", "(DECAY, DECAY)\n"),
        "attns_equations returns 'decay' twice",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_costs_only_itself(site: Site, case: str) -> None:
    source, reason = BROKEN[case]
    site.install("broken-one", source, version="0.3")
    site.install("sound-one", EQUATION.format(name="sound-decay"))
    registry = site.build()
    record = {r.name: r for r in registry.plugins}["broken-one"]
    assert not record.ok
    assert reason in record.error
    assert record.origin == "broken-one 0.3"
    assert "Traceback" in record.traceback
    assert record.provides == {}
    assert registry.names("equation") == ["sound-decay"]
    with pytest.raises(AttnsError, match=r"broken-one.*failed to load"):
        site.build(strict=True)


def test_a_lookup_that_fails_mentions_what_did_not_load(site: Site) -> None:
    site.install("broken-one", "import attns_no_such_library")
    registry = site.build()
    with pytest.raises(UnknownNameError, match="not loaded: broken-one; see 'attns plugins'"):
        registry.get("equation", "decay")
    with pytest.raises(UnknownNameError, match="not loaded: broken-one"):
        registry.solver("decay")


def test_clashing_names_are_rejected_with_both_owners_and_the_rest_works(site: Site) -> None:
    site.install("first-one", EQUATION.format(name="decay"))
    site.install("second-one", EQUATION.format(name="decay"), version="2.0")
    site.install("third-one", EQUATION.format(name="other"))
    registry = site.build()
    assert registry.names("equation") == ["decay", "other"]
    assert registry.owner("equation", "decay").name == "first-one"
    error = {r.name: r.error for r in registry.plugins}["second-one"]
    assert "first-one (first-one 1.0) and second-one (second-one 2.0)" in error
    assert "rename one" in error


def test_a_plugin_cannot_take_a_built_in_name(site: Site) -> None:
    from importlib.metadata import entry_points

    site.install("aaa", EQUATION.format(name="lorenz-63"))
    registry = build_registry(found=[*site.points(), *entry_points(group="attns")])
    assert registry.owner("equation", "lorenz-63").distribution == "attns"
    assert "aaa" in [r.name for r in registry.plugins if not r.ok]


def test_the_environment_variable_restricts_what_loads(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("first-one", EQUATION.format(name="decay"))
    site.install("second-one", EQUATION.format(name="other"))
    monkeypatch.setenv("ATTNS_LOAD_PLUGINS", "second-one")
    assert site.build().names("equation") == ["other"]
    monkeypatch.setenv("ATTNS_LOAD_PLUGINS", "")
    assert site.build().names("equation") == []
    monkeypatch.setenv("ATTNS_LOAD_PLUGINS", "secnd-one")
    with pytest.raises(UnknownNameError, match="did you mean 'second-one'"):
        site.build()


def test_a_file_plugin_loads_when_named_and_only_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "my-decay.py"
    file.write_text(EQUATION.format(name="file-decay"))
    monkeypatch.chdir(tmp_path)
    assert "file-decay" not in build_registry().names("equation")
    registry = build_registry(plugin_files=[file])
    assert registry.owner("equation", "file-decay").source == str(file)
    again = build_registry(plugin_files=[file])
    assert again.equation("file-decay").rhs is registry.equation("file-decay").rhs
    assert pickle.loads(pickle.dumps(again.equation("file-decay"))).name == "file-decay"


def test_files_of_one_stem_do_not_collide(tmp_path: Path) -> None:
    files = [tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"]
    for file in files:
        file.parent.mkdir()
        file.write_text(EQUATION.format(name=f"decay-{file.parent.name}"))
    names = build_registry(plugin_files=files).names("equation")
    assert {"decay-a", "decay-b"} <= set(names)


def test_a_folder_with_an_init_is_a_plugin(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "decay.py").write_text(EQUATION.format(name="folder-decay"))
    (tmp_path / "mine" / "__init__.py").write_text("from .decay import attns_equations")
    assert "folder-decay" in build_registry(plugin_files=[tmp_path / "mine"]).names("equation")


def test_a_named_file_that_does_not_load_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    with pytest.raises(AttnsError, match=r"mine\.py' does not exist"):
        build_registry(plugin_files=[file])
    file.write_text("import attns_no_such_library")
    with pytest.raises(AttnsError, match=r"failed to load: ModuleNotFoundError.*mine\.py, line 1"):
        build_registry(plugin_files=[file])
    file.write_text("def broken(:")
    with pytest.raises(AttnsError, match="failed to load: SyntaxError"):
        build_registry(plugin_files=[file])


def test_unknown_names_answer_with_the_nearest() -> None:
    registry = build_registry()
    with pytest.raises(UnknownNameError, match="did you mean 'lorenz-63'"):
        registry.equation("lorenz63")
    with pytest.raises(UnknownNameError, match="'rk4'"):
        registry.solver("rk44")
    with pytest.raises(UnknownNameError, match=r"unknown kind 'equations'.*'equation'"):
        registry.names("equations")


def test_registries_are_independent(site: Site) -> None:
    site.install("first-one", EQUATION.format(name="decay"))
    first, second = site.build(), site.build()
    first.objects["equation"].clear()
    assert second.names("equation") == ["decay"]
