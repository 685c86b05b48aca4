"""The command line: exit codes, messages of one screen, output for scripts."""

import contextlib
import io
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from attns_harness.cli import cli, main
from attns_harness.cli.train import values
from attns_harness.tables import LEADING, read_results
from runs import HERE

from attns_core import build_registry
from attns_core.dataset import follow

MATRIX = """
name = "tiny"
[timing]
budget_s = 0.01
[[block]]
equations = [{ name = "lotka-volterra", t_end = 2, n_trajectories = 2 }]
methods = ["rk4", "stormer-verlet"]
backends = ["numpy"]
dt_factors = [1]
"""

REQUIRED = set(
    """
    cell_id state reason equation solver method corrector backend dtype dt rtol train_trajectories noise seed
    t_end n_trajectories error_final error_l2 error_linf error_l2_rel diverged_fraction divergence_time
    invariant_drift nfe n_steps time_min_s time_median_s first_call_s reference_uncertainty
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Done:
    """What a command printed."""

    stdout: str
    stderr: str


def attns(*words: str, cwd: Path | None = None, code: int = 0) -> Done:
    """A command, in this process: importing everything anew would take most of the time."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["attns", *words])
        patch.setenv("NO_COLOR", "1")
        patch.chdir(cwd or Path.cwd())
        handler = signal.getsignal(signal.SIGTERM)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as left:
            main()
        signal.signal(signal.SIGTERM, handler)
    assert left.value.code == code, out.getvalue() + err.getvalue()
    assert "Traceback" not in err.getvalue()
    return Done(out.getvalue(), err.getvalue())


def test_the_installed_command_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("attns")), "solve", "nothing"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: unknown equation 'nothing'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run."""
    place = tmp_path_factory.mktemp("cli")
    (place / "tiny.toml").write_text(MATRIX, encoding="utf-8")
    done = attns("run", "tiny.toml", "--workers", "1", cwd=place)
    assert "results/tiny" in done.stdout
    return place / "results" / "tiny"


def test_a_run_leaves_tables_with_the_required_columns(folder: Path) -> None:
    table = read_results(folder)
    assert set(table.columns) >= REQUIRED
    assert list(table.columns[: len(LEADING)]) == list(LEADING)
    by_method = table.set_index("method")
    assert by_method.loc["rk4", "state"] == "ok"
    assert by_method.loc["stormer-verlet", "state"] == "skipped"
    assert "separable" in by_method.loc["stormer-verlet", "reason"]
    assert by_method.loc["rk4", "time_min_s"] > 0
    assert by_method.loc["rk4", "time_min_s"] <= by_method.loc["rk4", "time_median_s"]
    for name in ("results.csv", "results.parquet", "environments.json"):
        assert (folder / "tables" / name).is_file()
    assert (folder / "report.md").is_file()
    assert (folder / "timings.json").is_file()


def test_status_speaks_json(folder: Path) -> None:
    facts = json.loads(attns("status", str(folder), "--json").stdout)
    assert facts["cells"] == 2
    assert facts["counts"] == {"ok": 1, "skipped": 1}
    assert facts["running"] is False
    assert facts["last_run"] == "finished"
    assert "rk4" not in attns("status", str(folder)).stderr


def test_dry_run_lists_cells_and_what_is_stored(folder: Path) -> None:
    done = attns("run", str(folder / "matrix.toml"), "--out", str(folder), "--dry-run")
    assert "2 cells (1 ok, 1 skipped), 0 to run; shared artefacts: 1 reference" in done.stdout


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(MATRIX, encoding="utf-8")
    assert "2 cells (2 not_run)" in attns("run", "tiny.toml", "--dry-run", cwd=tmp_path).stdout
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.toml"]


def test_doctor_finds_damage_repairs_it_and_the_run_goes_on(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert json.loads(attns("doctor", str(copy), "--json").stdout)["sound"] is True
    next((copy / "artefacts").rglob("reference.npz")).write_bytes(b"rubbish")
    assert "repair with" in attns("doctor", str(copy), code=1).stdout
    assert "2 cells will run again" in attns("doctor", str(copy), "--repair").stdout
    assert set(read_results(copy)["state"]) == {"not_run"}
    attns("run", str(copy / "matrix.toml"), "--out", str(copy), "--workers", "1", "--no-report", "--no-timing")
    assert set(read_results(copy)["state"]) == {"ok", "skipped"}


def test_failed_cells_decide_the_exit_code(tmp_path: Path) -> None:
    text = MATRIX.replace('methods = ["rk4", "stormer-verlet"]', 'solvers = ["raises"]')
    (tmp_path / "bad.toml").write_text(f'plugins = ["{HERE / "misbehaving.py"}"]\n{text}', encoding="utf-8")
    words = ("run", "bad.toml", "--workers", "1", "--no-report", "--no-timing")
    done = attns(*words, cwd=tmp_path, code=1)
    assert "error: lotka-volterra raises dt=" in done.stdout
    assert "no such luck" in done.stdout
    attns(*words, "--allow-failures", cwd=tmp_path)
    attns("status", "results/tiny", cwd=tmp_path, code=1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("slove",), "did you mean 'solve'"),
        (("solve", "henon-heile"), "did you mean 'henon-heiles'"),
        (("solve", "henon-heiles", "--dt", "-1"), "dt must be a positive number"),
        (("solve", "henon-heiles", "--dt", "nan"), "dt must be a positive number"),
        (("solve", "henon-heiles", "--dt", "0.3", "--backend", "numpy"), "does not divide"),
        (("solve", "henon-heiles", "--t-end", "0"), "t_end must be after"),
        (("solve", "henon-heiles", "--param", "x"), "NAME=NUMBER"),
        (("run", "absent.toml"), "absent.toml"),
        (("status", "/"), "not a run folder"),
        (("doctor", "/"), "not a run folder"),
        (("list", "sovlers"), "solver"),
        (("--plugin", "absent.py", "plugins"), "absent.py"),
        (("run", "x.toml", "--workers", "0"), "--workers"),
    ],
)
def test_bad_input_is_one_screen_and_code_2(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = attns(*words, cwd=tmp_path, code=2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) < 15
    assert list(tmp_path.iterdir()) == []


def test_help_of_every_command_has_an_example() -> None:
    from click.testing import CliRunner

    context = cli.make_context("attns", [], resilient_parsing=True)
    names = cli.list_commands(context)
    assert {"plugins", "list", "run", "status", "solve", "train", "doctor"} <= set(names)
    for name in names:
        done = CliRunner().invoke(cli, [name, "--help"])
        assert done.exit_code == 0, done.output
        assert "Example" in done.output, name


def test_solve_prints_errors_and_plots(tmp_path: Path) -> None:
    words = ("solve", "lotka-volterra", "--t-end", "2", "--backend", "numpy", "--plot", "p.svg", "--json")
    facts = json.loads(attns(*words, cwd=tmp_path).stdout)
    assert facts["state"] == "ok"
    assert 0 < facts["error_l2_rel"] < 1e-2
    assert (tmp_path / "p.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_plugins_and_list_speak_json() -> None:
    plugins = json.loads(attns("plugins", "--json").stdout)
    assert all(p["ok"] for p in plugins)
    methods = json.loads(attns("list", "methods", "--json").stdout)["method"]
    assert {"name": "rk4", "order": 4}.items() <= next(m for m in methods if m["name"] == "rk4").items()


def test_train_then_solve_with_the_weights(tmp_path: Path) -> None:
    words = ("--method", "rk4", "--corrector", "linear", "--trajectories", "3", "--t-end", "2", "--out", "w", "--json")
    trained = json.loads(attns("train", "dahlquist", *words, cwd=tmp_path).stdout)
    assert trained["gated"] is False
    bare = json.loads(attns("solve", "dahlquist", "--t-end", "2", "--backend", "numpy", "--json", cwd=tmp_path).stdout)
    words = ("solve", "dahlquist", "--t-end", "2", "--backend", "numpy", "--weights", "w", "--json")
    corrected = json.loads(attns(*words, cwd=tmp_path).stdout)
    assert corrected["error_l2"] < 1e-3 * bare["error_l2"]
    assert corrected["L_N"] > 0
    assert corrected["outside_training"] == []
    assert "not an empty folder" in attns("train", "dahlquist", "--out", "w", cwd=tmp_path, code=2).stderr


def test_train_on_trajectories_of_ones_own(tmp_path: Path) -> None:
    equation = build_registry().equation("henon-heiles")
    times = 0.5 * np.arange(21)
    states, _ = follow(equation, equation.initial_states(1, 3), times, 0.5)
    np.savez(tmp_path / "mine.npz", t=times, u=states)
    words = ("train", "henon-heiles", "--corrector", "linear", "--data", "mine.npz", "--json")
    assert json.loads(attns(*words, "--out", "w", cwd=tmp_path).stdout)["held_out_relative_error"] < 1
    states[3, 1, 2] = np.nan
    np.savez(tmp_path / "mine.npz", t=times, u=states)
    refused = attns(*words, "--out", "v", cwd=tmp_path, code=2).stderr
    assert "'y' of trajectory 2 at t=1.5" in refused
    assert not (tmp_path / "v").exists()


def test_options_read_as_numbers_lists_of_them_or_text():
    given = ("width=64", "rate=0.5", "linear=true", "blocks=1,2,4", "bandwidths=0.1,1e-2", "names=u,S", "data=none")
    assert values(given) == {
        "width": 64,
        "rate": 0.5,
        "linear": True,
        "blocks": [1, 2, 4],
        "bandwidths": [0.1, 0.01],
        "names": "u,S",
        "data": None,
    }


def test_a_recipe_takes_one_value_or_several(tmp_path):
    command = ["train", "lotka-volterra", "--corrector", "tableau", "--dt", "0.2", "--trajectories", "5"]
    few = ["--recipe-option", "rounds=1", "--recipe-option", "iterations=3", "--recipe-option", "starts=1"]
    for blocks in ("1", "1,2"):
        attns(*command, "--recipe-option", f"blocks={blocks}", *few, "--out", str(tmp_path / blocks))
    refused = attns(*command, "--recipe-option", "blocks=[1, 2]", "--out", str(tmp_path / "no"), code=2)
    assert "recipe 'tableau-lm': blocks takes numbers such as 1,2,4, got '[1, 2]'" in " ".join(refused.stderr.split())
