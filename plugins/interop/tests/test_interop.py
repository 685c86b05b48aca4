"""Every registered rival passes the conformance kit where its library is installed, and says so where not."""

from collections import defaultdict
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from attns_harness.matrix_file import load_matrix
from attns_harness.plan import make_plan
from attns_interop import SOLVERS

from attns_core import Adaptive, AttnsError, BlackBoxSolver, Problem, build_registry, solve
from attns_core.recent import Recent
from attns_core.testing import Context, checks_of, run_check
from attns_core.testing.problems import OSCILLATOR

LIBRARIES = {
    "scipy": "scipy",
    "heyoka": "heyoka",
    "numbalsoda": "numbalsoda",
    "cvode": "sksundae",
    "diffrax": "diffrax",
    "jax": "jax",
    "torchdiffeq": "torchdiffeq",
    "torchode": "torchode",
}
BY_NAME = {s.name: s for s in SOLVERS}
# Compiling each costs a minute per solver; one explicit and one implicit stand for their library.
CHECKED = [n for n in BY_NAME if not n.startswith("diffrax") or n in ("diffrax-tsit5", "diffrax-kvaerno3")]


def library_of(name: str) -> str:
    return LIBRARIES[name.split("-")[0]]


@pytest.fixture(scope="module")
def context() -> Context:
    return Context(registry=build_registry())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("item", checks_of("solver"), ids=lambda c: c.name)
@pytest.mark.parametrize("name", CHECKED)
def test_conformance(name: str, item, context: Context) -> None:
    pytest.importorskip(library_of(name), reason=f"{library_of(name)} is not installed")
    result = run_check(item, BY_NAME[name], context)
    if result.status == "skipped":
        pytest.skip(result.reason)
    assert result.ok, result.reason


@pytest.mark.parametrize("name", list(BY_NAME))
def test_a_missing_library_is_a_reason_and_not_a_crash(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if library_of(name) in ("scipy", "heyoka"):
        pytest.skip("always installed")
    monkeypatch.setattr("attns_interop.library.find_spec", lambda module: None)
    problem = Problem.sample(build_registry().equation("lorenz-63"))
    solver: BlackBoxSolver = BY_NAME[name]
    option = {"dt": 0.05} if solver.control == "fixed" else {"rtol": 1e-6}
    with pytest.raises(AttnsError, match=r"not installed: .*pip install 'attns-interop\["):
        solve(problem, solver, **option)


def test_stiff_problems_are_solved_by_the_stiff() -> None:
    problem = Problem.sample(build_registry().equation("van-der-pol-stiff"), n=1, t_end=1.0, save_every=1.0)
    trusted = solve(problem, BY_NAME["scipy-radau"], rtol=1e-10).u[-1]
    for name in ("scipy-bdf", "scipy-lsoda"):
        states = solve(problem, BY_NAME[name], rtol=1e-6).u[-1]
        np.testing.assert_allclose(states, trusted, rtol=1e-3)


def test_torchdiffeq_rk4_is_the_three_eighths_rule() -> None:
    pytest.importorskip("torchdiffeq", reason="torchdiffeq is not installed")
    registry = build_registry()
    problem = Problem.sample(registry.equation("lorenz-63"), n=2, t_end=0.5)
    theirs = solve(problem, BY_NAME["torchdiffeq-rk38"], dt=0.05).u
    rule, classical = (solve(problem, registry.solver(n, backend="numpy"), dt=0.05).u for n in ("rk38", "rk4"))
    np.testing.assert_allclose(theirs, rule, rtol=1e-11)
    assert np.abs(theirs - classical).max() > 1e-8


def test_kinks_have_no_taylor_series() -> None:
    kinked = replace(OSCILLATOR, rhs=lambda t, u, p, m: (u[1], -m.abs(u[0])))
    problem = Problem.sample(kinked, n=1)
    with pytest.raises(AttnsError, match="heyoka cannot express the right-hand side"):
        solve(problem, BY_NAME["heyoka-taylor"], rtol=1e-6)


def test_running_out_of_steps_is_said() -> None:
    pytest.importorskip("diffrax", reason="diffrax is not installed")
    problem = Problem.sample(build_registry().equation("lorenz-63"), n=2, t_end=2.0)
    solver = BY_NAME["diffrax-tsit5"]
    short = solver.prepare(problem, Adaptive(rtol=1e-8, atol=1e-8, max_steps=20))()
    assert short.message == "gave up after 20 steps"
    assert np.isnan(short.u[-1]).all()
    enough = solver.prepare(problem, Adaptive(rtol=1e-8, atol=1e-8))()
    assert enough.message == ""
    assert enough.finite.all()


def test_tolerances_share_what_is_compiled() -> None:
    made = []
    recent = Recent[int](2)
    for key in "ab", "ab", "c", "ab", "d", "c":
        recent.get(key, lambda key=key: made.append(key) or len(made))
    assert made == ["ab", "c", "d", "c"]


def test_all_of_them_are_registered_under_their_library() -> None:
    for solver in SOLVERS:
        assert library_of(solver.name)
        assert "interop" in solver.tags
    assert find_spec("scipy") is not None


def test_the_rivals_matrix_has_every_solver_and_every_equation() -> None:
    registry = build_registry()
    matrix = load_matrix(Path(__file__).resolve().parents[3] / "studies" / "rivals.toml").matrix
    cells = [planned.cell for planned in make_plan(matrix, registry).cells]
    assert {c.solver for c in cells if c.solver} == set(BY_NAME)
    equations = set(registry.names("equation"))
    met: dict[str, set[str]] = defaultdict(set)
    for cell in cells:
        met[library_of(cell.solver) if cell.solver else "ours"].add(cell.problem.equation)
    assert met == dict.fromkeys([*LIBRARIES.values(), "ours"], equations)
