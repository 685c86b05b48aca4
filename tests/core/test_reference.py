"""References: two integrators that agree, honest gaps, valid times, and a cache that survives damage."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attns_plugins.equations.kepler import KEPLER
from attns_plugins.equations.lorenz63 import LORENZ63
from attns_plugins.equations.robertson import ROBERTSON
from attns_plugins.equations.spring_chain import SPRING_CHAIN
from scipy.linalg import expm

from attns_core import AttnsError, Citation, Equation, Problem
from attns_core.integrators import extrapolation, linear, multistep, runge_kutta, taylor
from attns_core.reference import component_scale, make_reference, reference_id, relative_gap
from attns_core.reference_store import load

CITATION = Citation(key="none", authors="N. N.", title="None", where="Nowhere", year=2000)


def equation(rhs: Any, dim: int, *, tags: tuple[str, ...] = (), t_end: float = 5.0) -> Equation:
    return Equation(
        name="test",
        title="Test",
        description="Test",
        rhs=rhs,
        components=tuple("xyz"[:dim]),
        sample=lambda p, rng, n: rng.uniform(0.5, 1.5, (dim, n)),
        t_end=t_end,
        dts=(0.5,),
        tags=frozenset(tags),
        citation=CITATION,
    )


KINK = equation(lambda t, u, p, m: (u[1], m.where(u[0] > 0, -u[0], -2 * u[0])), 2)
OSCILLATOR = equation(lambda t, u, p, m: (u[1], -u[0]), 2)
SHRINKING = equation(lambda t, u, p, m: (-u[0] * m.cos(t),), 1)


@pytest.mark.parametrize("integrate", [taylor.integrate, runge_kutta.integrate, extrapolation.integrate])
def test_integrators_reach_round_off_on_closed_forms(integrate: Any) -> None:
    rotation = Problem.sample(OSCILLATOR, n=9, save_every=0.5)
    q, v = rotation.u0
    t = rotation.t_save[:, None]
    exact = np.stack([q * np.cos(t) + v * np.sin(t), v * np.cos(t) - q * np.sin(t)], axis=1)
    np.testing.assert_allclose(integrate(rotation, 1e-13), exact, atol=2e-11)
    forced = Problem.sample(SHRINKING, n=2)
    t = forced.t_save[:, None, None]
    np.testing.assert_allclose(integrate(forced, 1e-13), forced.u0 * np.exp(-np.sin(t)), atol=2e-11)


def test_multistep_is_accurate() -> None:
    problem = Problem.sample(OSCILLATOR, n=2, save_every=0.5)
    exact = taylor.integrate(problem, 1e-13)
    np.testing.assert_allclose(multistep.integrate(problem, 1e-13, np.ones(2)), exact, atol=1e-9)


def test_spring_chain_against_the_matrix_exponential() -> None:
    """In one exponential over the whole span, computed here from the equation's action on unit vectors."""
    problem = Problem.sample(SPRING_CHAIN, n=3, seed=4)
    matrix = SPRING_CHAIN.evaluate(0.0, np.eye(SPRING_CHAIN.dim))
    expected = expm(problem.t_end * matrix) @ problem.u0
    reference = make_reference(problem)
    assert np.abs(reference.u[-1] - expected).max() < 1e-10
    assert reference.uncertainty < 1e-11
    for integrate in (taylor.integrate, runge_kutta.integrate, linear.integrate):
        assert np.abs(integrate(problem, 1e-13)[-1] - expected).max() < 1e-10


def test_kepler_against_its_closed_form() -> None:
    problem = Problem.sample(KEPLER, n=4, seed=2)
    reference = make_reference(problem)
    assert reference.integrators[0] == "closed form"
    assert reference.uncertainty < 1e-11
    assert relative_gap(reference.u, taylor.integrate(problem, 1e-13)).max() < 1e-11


def test_matrix_exponential_refuses_what_is_not_linear() -> None:
    with pytest.raises(linear.NotLinearError):
        linear.integrate(Problem.sample(SHRINKING), 1e-13)
    affine = Problem.sample(equation(lambda t, u, p, m: (1 - 2 * u[0],), 1, tags=("linear",)), n=2)
    t = affine.t_save[:, None, None]
    exact = 0.5 + (affine.u0 - 0.5) * np.exp(-2 * t)
    np.testing.assert_allclose(make_reference(affine).u, exact, rtol=1e-13)


def test_right_hand_sides_that_branch_fall_back_and_say_so() -> None:
    reference = make_reference(Problem.sample(KINK, n=2))
    assert [name.split(",")[0] for name in reference.integrators] == ["DOP853", "LSODA"]
    assert reference.uncertainty < 1e-8


def test_stiff_equations_use_implicit_integrators() -> None:
    reference = make_reference(Problem.sample(ROBERTSON, n=2))
    assert "implicit" in reference.integrators[0]
    assert reference.uncertainty < 1e-8
    # Robertson's reaction moves mass and keeps it.
    np.testing.assert_allclose(reference.u[-1].sum(axis=0), reference.u[0].sum(axis=0), rtol=1e-10)


def test_chaos_ends_the_valid_time() -> None:
    problem = Problem.sample(LORENZ63, n=3, t_end=60.0, save_every=1.0)
    reference = make_reference(problem)
    # Round-off grows by e every 1.1 time units: from 1e-14 to 1e-6 within about 20 to 25.
    assert ((reference.valid_time > 12) & (reference.valid_time < 45)).all()
    assert reference.uncertainty <= 1e-6
    assert reference.gap[-1].max() > 1e-3


def test_explosions_end_the_valid_time_too() -> None:
    explosion = equation(lambda t, u, p, m: (u[0] ** 2,), 1)
    problem = Problem(equation=explosion, u0=np.array([[0.5, 0.1]]), t_save=np.array([0.0, 1.0, 1.9, 3.0]))
    reference = make_reference(problem)
    assert reference.valid_time.tolist() == [1.9, 3.0]
    assert np.isnan(reference.u[3, 0, 0])
    assert reference.u[3, 0, 1] == pytest.approx(1 / 7, rel=1e-12)


def test_lost_trajectories_do_not_take_others_along() -> None:
    u0 = np.tile([[0.3], [0.4]], (1, 11))
    u0[0, 4] = np.nan
    reference = make_reference(Problem(equation=OSCILLATOR, u0=u0, t_save=np.array([0.0, 1.0])))
    lost = np.isnan(reference.u[-1]).any(axis=0)
    assert np.flatnonzero(lost).tolist() == [4]


def test_scale_ignores_components_of_pure_round_off() -> None:
    u = np.zeros((2, 3, 1))
    u[:, 0], u[:, 1] = 2.0, 1e-17
    np.testing.assert_allclose(component_scale(u), [2.0, 2e-10, 2e-10])


def test_cache_returns_what_was_made(tmp_path: Path) -> None:
    problem = Problem.sample(OSCILLATOR, n=2)
    made = make_reference(problem, cache=tmp_path)
    again = make_reference(problem, cache=tmp_path)
    assert again.seconds == made.seconds
    assert again.integrators == made.integrators
    for name in ("t", "u", "gap", "valid_time"):
        np.testing.assert_array_equal(getattr(again, name), getattr(made, name))
    assert [p.suffix for p in tmp_path.iterdir()] == [".npz"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: str) -> None:
    problem = Problem.sample(OSCILLATOR, n=2)
    made = make_reference(problem, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 0xFF
    contents = {"truncated": data[:100], "flipped": data, "empty": b"", "foreign": b"not a reference"}[damage]
    file.write_bytes(bytes(contents))
    np.testing.assert_array_equal(make_reference(problem, cache=tmp_path).u, made.u)
    np.testing.assert_array_equal(make_reference(problem, cache=tmp_path).u, made.u)
    assert file.stat().st_size > 100


def test_no_flipped_byte_raises_or_changes_values(tmp_path: Path) -> None:
    problem = Problem.sample(OSCILLATOR, n=2)
    made = make_reference(problem, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    found = []
    for position in range(0, len(data), 5):
        broken = bytearray(data)
        broken[position] ^= 0xFF
        file.write_bytes(bytes(broken))
        found.append(load(tmp_path, reference_id(problem)))
    assert found.count(None) > len(found) / 3
    # What still loads was damaged where it does not matter, such as the date of an entry.
    for reference in filter(None, found):
        np.testing.assert_array_equal(reference.u, made.u)


def test_a_file_of_another_problem_is_not_believed(tmp_path: Path) -> None:
    first, second = Problem.sample(OSCILLATOR, seed=1), Problem.sample(OSCILLATOR, seed=2)
    make_reference(first, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / f"reference-{reference_id(second)}.npz")
    np.testing.assert_array_equal(make_reference(second, cache=tmp_path).u[0], second.u0)


def test_what_decides_a_reference_is_in_its_id() -> None:
    problem = Problem.sample(OSCILLATOR)
    ids = {
        reference_id(problem),
        reference_id(problem, 1e-12),
        reference_id(Problem.sample(OSCILLATOR, seed=1)),
        reference_id(Problem.sample(OSCILLATOR, save_every=0.25)),
        reference_id(Problem.sample(SHRINKING)),
    }
    assert len(ids) == 5
    assert reference_id(problem) == reference_id(Problem.sample(OSCILLATOR))


def test_many_may_make_the_same_reference_at_once(tmp_path: Path) -> None:
    problem = Problem.sample(OSCILLATOR, n=2)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: make_reference(problem, cache=tmp_path), range(8)))
    assert all(np.array_equal(r.u, made[0].u) for r in made)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("rtol", [0.0, -1e-8, float("nan"), 0.1])
def test_bad_tolerances_are_refused(rtol: float) -> None:
    with pytest.raises(AttnsError, match="0 < rtol < 1e-3"):
        make_reference(Problem.sample(OSCILLATOR), rtol=rtol)
