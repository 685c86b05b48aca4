"""Documentation is true: every code block runs, every hook and column is documented, every link leads somewhere."""

import dataclasses
import importlib.util
import inspect
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from attns_harness.cli import cli
from attns_harness.tables import LEADING, PROVENANCE
from click.testing import CliRunner

from attns_core import build_registry, hookspecs
from attns_core.plugin import KINDS, Kind

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md") if "catalogue" not in p.parts)]
LINKED = [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
_BLOCK = re.compile(r"(?:<!-- (?P<note>[^>]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL)


@dataclass(frozen=True)
class CodeBlock:
    language: str
    text: str
    note: str

    @property
    def file(self) -> str:
        """Name of the file that the block is, if it is one."""
        return self.note.removeprefix("file: ") if self.note.startswith("file: ") else ""


def blocks(page: Path) -> list[CodeBlock]:
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [CodeBlock(m["language"], m["text"], (m["note"] or "").strip()) for m in found]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: p.name)
def test_every_code_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    namespace: dict[str, Any] = {"__name__": "documentation"}
    for block in blocks(page):
        if block.note.startswith("not run:"):
            continue
        if block.file:
            Path(block.file).write_text(block.text)
        elif block.language == "python":
            exec(compile(block.text, str(page), "exec", dont_inherit=True), namespace)
        elif block.language == "console":
            for line in block.text.splitlines():
                run_line(line)
        else:
            assert block.language == "text", f"{page.name}: no test runs a block of {block.language!r}"


def run_line(line: str) -> None:
    """A line of a console block: an ``attns`` command is run, a ``make`` target must exist."""
    assert line.startswith("$ "), f"console blocks show commands only: {line!r}"
    program, *arguments = shlex.split(line.removeprefix("$ "), comments=True)
    if program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), line
        return
    assert program == "attns", f"no test runs {program!r}"
    if arguments[0] == "run" and "--dry-run" not in arguments:
        # Workers are processes of their own and must not inherit this test's modules.
        done = subprocess.run([sys.executable, "-m", "attns_harness", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.exception is None, f"{line}: {result.exception}\n{result.output}"
    assert result.return_value in (None, 0), f"{line}: exit code {result.return_value}\n{result.output}"


HOOK_PAGES = ROOT / "docs" / "hooks"


def hook_reference() -> Any:
    spec = importlib.util.spec_from_file_location("hook_reference", ROOT / "docs" / "hook_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_a_page_per_hook() -> None:
    specified = [name for name in vars(hookspecs) if name.startswith("attns_")]
    assert specified == [kind.hook for kind in KINDS]
    assert {p.stem for p in HOOK_PAGES.glob("*.md")} == {*specified, "index"}
    assert re.findall(r"^\| \[`(\w+)`\]\((\w+)\.md\)", (HOOK_PAGES / "index.md").read_text(), re.MULTILINE) == [
        (name, name) for name in specified
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.hook)
def test_every_hook_is_documented_with_its_signature(kind: Kind) -> None:
    text = (HOOK_PAGES / f"{kind.hook}.md").read_text()
    hook = getattr(hookspecs, kind.hook)
    signature = inspect.signature(hook)
    heading = f"# `{kind.hook}({', '.join(signature.parameters)}) -> {signature.return_annotation}`"
    assert text.startswith(f"{heading}\n\n{inspect.getdoc(hook)}\n")
    assert text.endswith(hook_reference().reference(kind)), "out of date: run python docs/hook_reference.py"
    (example,) = blocks(HOOK_PAGES / f"{kind.hook}.md")
    namespace: dict[str, Any] = {"__name__": "documentation"}
    exec(compile(example.text, kind.hook, "exec", dont_inherit=True), namespace)
    values = list(namespace[kind.hook]())
    assert values
    assert all(kind.accepts(value) for value in values)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.hook)
def test_every_field_that_an_author_gives_is_in_the_reference(kind: Kind) -> None:
    returned = getattr(importlib.import_module(kind.module), kind.type_name)
    text = hook_reference().reference(kind)
    wanted = set(getattr(returned, "__abstractmethods__", ()))
    if dataclasses.is_dataclass(returned):
        wanted |= {f.name for f in dataclasses.fields(returned)}
    assert sorted(n for n in wanted if not re.search(rf"`{n}\b", text)) == []


def test_every_column_is_documented() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "results-schema.md").read_text(), re.MULTILINE)
    registry = build_registry()
    ours = [m for m in registry.all("metric") if registry.owner("metric", m.name).distribution == "attns"]
    further = sorted({c for m in ours for c in m.columns} - set(LEADING))
    expected = [*LEADING, *further]
    assert documented[: len(expected)] == expected
    assert documented[-len(PROVENANCE) :] == list(PROVENANCE)
    assert len(set(documented)) == len(documented)


def test_every_state_is_documented() -> None:
    from attns_harness.states import STATES

    for page in ("results-schema.md", "glossary.md"):
        text = (ROOT / "docs" / page).read_text()
        assert [s for s in STATES if f"`{s}`" not in text] == []


@pytest.mark.parametrize("page", LINKED, ids=lambda p: p.name)
def test_links_and_pictures_exist(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://") or "catalogue/" in target:
            continue
        assert (page.parent / target.split("#")[0]).exists(), f"{page.name}: {target}"


def test_every_command_has_help_with_an_example() -> None:
    runner = CliRunner()
    for name in cli.list_commands(click.Context(cli)):
        result = runner.invoke(cli, [name, "--help"])
        assert result.exit_code == 0, result.output
        assert "Example" in result.output, name


def test_the_architecture_names_what_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    section = ""
    for line in text.splitlines():
        start = re.match(r"`([\w/]+/)`:", line)
        section = start[1] if start else section
        row = re.match(r"\| .* \| (`.*`) \|$", line)
        if row and section:
            for name in re.findall(r"`([\w/.]+)`", row[1]):
                assert (ROOT / section / name).exists(), f"{section}{name}"
    assert len(text.splitlines()) <= 150


def test_the_site_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    # Drawing the formula of every equation is the catalogue's own test.
    monkeypatch.setenv("ATTNS_LOAD_PLUGINS", "methods,metrics")
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("catalogue"))
    config = load_config(
        str(ROOT / "mkdocs.yml"), docs_dir=str(tmp_path / "docs"), site_dir=str(tmp_path / "site"), strict=True
    )
    build(config)
    assert (tmp_path / "site" / "tutorial" / "index.html").is_file()
    assert (tmp_path / "site" / "catalogue" / "methods" / "rk4" / "index.html").is_file()
    # It can be read without a network: nothing is loaded from elsewhere.
    head = (tmp_path / "site" / "hooks" / "index.html").read_text().split("</head>")[0]
    assert re.findall(r'(?:src|href)="https?://[^"]*"', head) == []
