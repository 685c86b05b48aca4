"""`attns new-plugin` writes packages that install and pass their tests as generated."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, final

import pytest
from attns_harness.cli import cli
from attns_harness.scaffold import KINDS, write_plugin
from click.testing import CliRunner

from attns_core import AttnsError, UnknownNameError

EXAMPLES = Path(__file__).resolve().parents[2] / "plugins" / "examples"


@pytest.mark.parametrize("kind", KINDS)
def test_the_examples_are_what_the_templates_write(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    for path in write_plugin(f"example-{kind}", kind, folder):
        kept = EXAMPLES / f"attns-example-{kind}" / path.relative_to(folder)
        assert path.read_text() == kept.read_text(), f"{kept} is out of date: run attns new-plugin again"


@final
class Environment:
    """A virtual environment of its own: what it lacks comes from the one that runs this test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        self.python = folder / "venv" / "bin" / "python"
        site = self.run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        Path(site, "base.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")

    def run(self, *arguments: str | Path) -> str:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "ATTNS", "PYTHONPATH"))}
        command = [str(a) for a in (self.python, *arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=clean | {"COLUMNS": "400"}, cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install(self, *folders: Path) -> None:
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--python",
            self.python,
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        options = ["--no-deps", "--no-build-isolation", "--no-index"]
        done = subprocess.run([*pip, *options, *folders], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def plugins(self) -> dict[str, dict[str, Any]]:
        return {p["name"]: p for p in json.loads(self.run("-m", "attns_harness", "plugins", "--json"))}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def test_the_examples_install_and_pass_in_a_fresh_environment(environment: Environment) -> None:
    folders = [environment.folder / kind for kind in KINDS]
    for kind, folder in zip(KINDS, folders, strict=True):
        write_plugin(f"example-{kind}", kind, folder)
    environment.install(*folders)
    assert {f"example-{kind}" for kind in KINDS} <= {name for name, p in environment.plugins().items() if p["ok"]}
    tests = [folder / "tests" for folder in folders]
    # A folder of its own: folders shared by several pytests are cleaned up by whichever ends first.
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--import-mode=importlib",
        f"--basetemp={environment.folder / 'temporary'}",
    ]
    summary = environment.run("-m", "pytest", *options, *tests)
    assert " passed" in summary
    assert " failed" not in summary


BROKEN = {
    "clash": (
        "def compute",
        "# the same\ndef compute",
        "two plugins register the metric 'sound': clash (attns-clash 0.1.0)",
    ),
    "lacking": ("import numpy as np", "import attns_no_such_library", "No module named 'attns_no_such_library'"),
    "raising": ("    return (RAISING,)", "    raise RuntimeError('no licence')", "RuntimeError: no licence"),
    "later": ("def attns_metrics", "def attns_operators", "a plugin written for a later AttNS needs that version"),
}


def test_broken_plugins_cost_only_themselves_in_a_fresh_environment(environment: Environment) -> None:
    folders = []
    for name, (old, new, _) in {**BROKEN, "sound": ("", "", "")}.items():
        folders.append(environment.folder / name)
        write_plugin(name, "metric", folders[-1])
        module = folders[-1] / f"attns_{name}" / "__init__.py"
        assert old in module.read_text()
        module.write_text(module.read_text().replace(old, new).replace('name="clash"', 'name="sound"'))
    environment.install(*folders)
    found = environment.plugins()
    assert found["clash"]["ok"]
    assert not found["sound"]["ok"]
    shown = environment.run("-m", "attns_harness", "plugins")
    for name, (_, _, reason) in BROKEN.items():
        assert reason in shown
        assert found[name]["ok"] == (name == "clash")
    assert sum("BROKEN" in line for line in shown.splitlines()) == 4
    solved = environment.run(
        "-m", "attns_harness", "solve", "dahlquist", "--solver", "rk4", "--backend", "numpy", "--json"
    )
    assert json.loads(solved)["state"] == "ok"


def test_the_command_says_what_to_do_next(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["new-plugin", "my-own", "--kind", "metric", "--out", str(tmp_path / "x")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "x" / "attns_my_own" / "__init__.py").is_file()
    assert "pip install -e" in result.output


def test_bad_requests_write_nothing(tmp_path: Path) -> None:
    for name in ("My Solver", "solver_", "../x", "1st", ""):
        with pytest.raises(AttnsError, match="use lower-case letters"):
            write_plugin(name, "solver", tmp_path / "new")
    with pytest.raises(UnknownNameError, match="did you mean 'solver'"):
        write_plugin("mine", "solvr", tmp_path / "new")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("kept")
    with pytest.raises(AttnsError, match="exists already"):
        write_plugin("mine", "solver", tmp_path / "full")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full"]


def test_a_name_that_is_a_keyword_is_fine(tmp_path: Path) -> None:
    write_plugin("lambda", "solver", tmp_path / "new")
    compile((tmp_path / "new" / "attns_lambda" / "__init__.py").read_text(), "generated", "exec")
