"""`attns check`: the kit on the command line."""

import json
from pathlib import Path

import pytest
from attns_harness.cli import cli
from click.testing import CliRunner, Result

from attns_core import AttnsError, UnknownNameError

SOLVER = """
from attns_core import black_box, hookimpl

@black_box(name="drifts", control="fixed")
def drifts(problem, control):
    f, u, states = problem.rhs("numpy"), problem.u0, [problem.u0]
    for t, n in zip(problem.t_save, problem.steps_per_save(control)):
        for i in range(n):
            u = u + control.dt * f(t + i * control.dt, u)
        u = u + {fault}
        states.append(u)
    return states

@hookimpl
def attns_solvers():
    return [drifts]
"""


def check(*arguments: str, plugin: Path | None = None) -> Result:
    before = ["--plugin", str(plugin)] if plugin else []
    return CliRunner().invoke(cli, [*before, "check", *arguments], standalone_mode=False)


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    path = tmp_path / "drifts.py"
    path.write_text(SOLVER.format(fault="0.5"))
    return path


def test_a_sound_method_passes() -> None:
    result = check("rk4", "--only", "order-conditions")
    assert result.return_value == 0
    assert "1 passed" in result.output


def test_a_faulty_solver_fails_with_the_reason(faulty: Path) -> None:
    result = check("drifts", "--json", plugin=faulty)
    assert result.return_value == 1
    found = json.loads(result.output)
    failed = {c["check"]: c["reason"] for c in found["checks"] if c["status"] == "failed"}
    assert list(failed) == ["accuracy"]
    assert "the error does not fall with the step" in failed["accuracy"]


def test_a_file_plugin_reaches_the_worker(faulty: Path) -> None:
    result = check("drifts", "--only", "pickling", plugin=faulty)
    assert result.return_value == 0, result.output


def test_a_declared_failure_is_expected_and_must_happen(faulty: Path, tmp_path: Path) -> None:
    arguments = ("drifts", "--only", "accuracy", "--expect", "accuracy=jumps at saving times")
    result = check(*arguments, plugin=faulty)
    assert (result.return_value, "jumps at saving times" in result.output) == (0, True)
    sound = tmp_path / "sound.py"
    sound.write_text(SOLVER.format(fault="0"))
    assert check(*arguments, plugin=sound).return_value == 1


def test_bad_input_names_the_remedy() -> None:
    assert isinstance(check("rk44").exception, UnknownNameError)
    assert "did you mean 'solver'" in str(check("rk4", "--kind", "solvr").exception)
    assert "did you mean 'metadata'" in str(check("rk4", "--only", "metdata").exception)
    error = check("rk4", "--expect", "metadata").exception
    assert isinstance(error, AttnsError)
    assert "CHECK=REASON" in str(error)
