"""`attns new-plugin` writes packages that install and pass their tests as generated."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

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


def test_the_examples_install_and_pass_in_a_fresh_environment(tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    site = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip()
    # Everything but the examples comes from the environment that runs this test.
    here = sysconfig.get_path("purelib")
    Path(site, "base.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    folders = []
    for kind in KINDS:
        folders.append(tmp_path / kind)
        write_plugin(f"example-{kind}", kind, folders[-1])
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "ATTNS", "PYTHONPATH"))}

    def run(*command: str | Path) -> str:
        done = subprocess.run(list(command), capture_output=True, text=True, env=clean, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--no-deps", "--no-build-isolation", "--no-index", *folders)
    found = json.loads(run(python, "-m", "attns_harness", "--strict", "plugins", "--json"))
    assert {f"example-{kind}" for kind in KINDS} <= {p["name"] for p in found if p["ok"]}
    tests = [folder / "tests" for folder in folders]
    summary = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", *tests)
    assert " passed" in summary
    assert " failed" not in summary


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
