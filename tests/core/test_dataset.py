"""Training pairs: accurate, split by trajectory, cached by content, and strict about what users bring."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from attns_plugins.equations.fourier_potential import FOURIER_POTENTIAL
from attns_plugins.equations.henon_heiles import HENON_HEILES
from attns_plugins.equations.quadrupole_trap import QUADRUPOLE_TRAP
from attns_plugins.equations.spring_chain import SPRING_CHAIN
from attns_plugins.methods.rk4 import RK4

from attns_core import AttnsError, Equation
from attns_core.dataset import FULL_SET, STREAMS, Dataset, fraction_of_full, held_out_pairs, make_dataset
from attns_core.flow import compiled_flow, exact_increment, numpy_flow, substeps_for
from attns_core.trajectories import dataset_from_trajectories, read_trajectories


def small(**options: Any) -> Dataset:
    arguments: dict[str, Any] = {"trajectories": 5, "t_end": 4.0, **options}
    return make_dataset(HENON_HEILES, RK4, 0.5, **arguments)


def test_residuals_are_those_of_the_exact_flow_to_round_off() -> None:
    chain = SPRING_CHAIN.with_params(n=3)
    data = make_dataset(chain, RK4, 0.2, trajectories=3, t_end=2.0)
    assert chain.exact is not None
    following = chain.exact(0.2, data.u, chain.p)
    assert np.abs(data.u + data.S + data.r - following).max() < 5e-14


def test_residuals_carry_round_off_of_their_increment_not_of_the_state() -> None:
    # Far from the origin the state has ulp 1e-10, the increments of this equation do not.
    from attns_core import Citation

    def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
        return (m.sin(t) + 0.0 * u[0],)

    drift = Equation(
        name="drift",
        title="drift",
        description="A state far from zero with small increments.",
        rhs=rhs,
        components=("x",),
        sample=lambda p, rng, n: np.full((1, n), 1e6),
        t_end=1.0,
        dts=(0.1,),
        citation=Citation(key="none", authors="none", title="none", where="none", year=2000),
    )
    data = make_dataset(drift, RK4, 0.1, trajectories=1)
    true = np.cos(data.t) - np.cos(data.t + 0.1)
    assert np.abs(data.S[0] + data.r[0] - true).max() < 1e-15


def test_substeps_reach_round_off() -> None:
    u = HENON_HEILES.initial_states(0, 20)
    count = substeps_for(HENON_HEILES, 0.0, u, 0.5)
    finer = exact_increment(HENON_HEILES, 0.0, u, 0.5, 4 * count)
    assert np.abs(exact_increment(HENON_HEILES, 0.0, u, 0.5, count) - finer).max() < 2e-15


@pytest.mark.parametrize("n", [1, 33])
@pytest.mark.parametrize("equation", [HENON_HEILES, FOURIER_POTENTIAL, QUADRUPOLE_TRAP], ids=lambda e: e.name)
def test_the_compiled_flow_is_the_plain_one_to_round_off(equation: Equation, n: int) -> None:
    # Forced equations start at times other than zero, partial blocks repeat their last trajectory.
    u, times = equation.initial_states(3, n), 0.3 + 0.2 * np.arange(4)
    compiled = compiled_flow(equation)
    assert compiled is not None
    for mine, plain in zip(compiled(times, u, 0.2, 4), numpy_flow(equation)(times, u, 0.2, 4), strict=True):
        assert mine.shape == plain.shape == (4, equation.dim, n)
        assert np.abs(mine - plain).max() < 1e-14 * np.abs(plain).max()


def test_the_compiled_flow_falls_back_to_exact_functions_out_of_the_fast_ones_range() -> None:
    def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
        return (m.sin(u[0]),)

    far = replace(HENON_HEILES, rhs=rhs, components=("x",), sample=lambda p, rng, n: np.full((1, n), 1e12))
    u, times = far.initial_states(0, 2), np.zeros(1)
    compiled = compiled_flow(far)
    assert compiled is not None
    np.testing.assert_allclose(compiled(times, u, 0.1, 2)[1], numpy_flow(far)(times, u, 0.1, 2)[1], rtol=1e-12)


def test_right_hand_sides_that_cannot_be_compiled_have_no_compiled_flow() -> None:
    def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
        return (np.cumsum(u[0]),)

    assert compiled_flow(replace(HENON_HEILES, rhs=rhs, components=("x",))) is None


def test_stiff_equations_are_refused_with_a_remedy() -> None:
    def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
        return (-1e9 * u[0],)

    stiff = replace(HENON_HEILES, rhs=rhs, components=("x",), sample=lambda p, rng, n: np.ones((1, n)), invariants=())
    with pytest.raises(AttnsError, match="too stiff"):
        make_dataset(stiff, RK4, 0.5, trajectories=1, t_end=1.0)


def test_smaller_sets_are_nested_in_larger_ones() -> None:
    two, five, ten = (small(trajectories=n) for n in (2, 5, 10))
    np.testing.assert_array_equal(two.u, five.u[:, five.trajectory < 2])
    np.testing.assert_array_equal(five.u, ten.u[:, ten.trajectory < 5])
    assert fraction_of_full(0.01) * 100 == FULL_SET


def test_training_held_out_and_test_states_come_from_separate_streams() -> None:
    data = small(trajectories=10)
    starts = {int(i): data.u[:, data.trajectory == i][:, 0] for i in np.unique(data.trajectory)}
    held_out = set(data.trajectory[data.held_out].tolist())
    drawn = {name: HENON_HEILES.initial_states([0, STREAMS[name]], FULL_SET) for name in STREAMS}
    for stream, mine in (("train", sorted(starts.keys() - held_out)), ("validation", sorted(held_out))):
        np.testing.assert_array_equal(np.stack([starts[i] for i in mine], axis=1), drawn[stream][:, : len(mine)])
    assert len({array.tobytes() for array in drawn.values()}) == len(STREAMS)


def test_seeds_and_noise_change_the_pairs_and_the_id() -> None:
    base, again, other, noisy = small(), small(), small(seed=1), small(noise=1e-3)
    np.testing.assert_array_equal(base.r, again.r)
    assert base.id == again.id
    assert len({base.id, other.id, noisy.id}) == 3
    assert not np.array_equal(base.u, other.u)
    assert (noisy.u - base.u).std() == pytest.approx(1e-3, rel=0.3)


@pytest.mark.parametrize(("n", "expected"), [(10, {4, 9}), (5, {4}), (4, {3}), (3, {2})])
def test_held_out_pairs_are_whole_trajectories(n: int, expected: set[int]) -> None:
    trajectory = np.repeat(np.arange(n), 10)
    assert set(trajectory[held_out_pairs(trajectory, 10)]) == expected


@pytest.mark.parametrize("n", [1, 2])
def test_with_two_trajectories_the_end_of_each_is_held_out(n: int) -> None:
    mask = held_out_pairs(np.repeat(np.arange(n), 10), 10)
    np.testing.assert_array_equal(np.flatnonzero(mask[:10]), [8, 9])


def test_the_cache_returns_the_same_pairs_and_mends_damage(tmp_path: Path) -> None:
    first = small(cache=tmp_path)
    second = small(cache=tmp_path)
    np.testing.assert_array_equal(first.r, second.r)
    assert second.seconds == first.seconds
    (file,) = tmp_path.glob("dataset-*.npz")
    damaged = bytearray(file.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file.write_bytes(damaged)
    np.testing.assert_array_equal(small(cache=tmp_path).r, first.r)
    file.write_bytes(b"PK\x03\x04 truncated")
    np.testing.assert_array_equal(small(cache=tmp_path).r, first.r)
    assert {f.name.partition("-")[0] for f in tmp_path.iterdir()} == {"dataset", "trajectories"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trajectories": 0}, "at least 1 trajectory"),
        ({"t_end": 0.1}, "no whole step"),
        ({"noise": -1.0}, "noise"),
    ],
)
def test_bad_numbers_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AttnsError, match=message):
        small(**options)


def states() -> tuple[Any, Any]:
    """Times (9,) and states (9, 4, 3) of three reference trajectories."""
    from attns_core.dataset import follow

    times = 0.5 * np.arange(9)
    return times, follow(HENON_HEILES, HENON_HEILES.initial_states(3, 3), times, 0.5)[0]


def table(t: Any, u: Any) -> pd.DataFrame:
    rows = [
        {"trajectory": j, "t": t[i], **dict(zip(HENON_HEILES.component_names, u[i, :, j], strict=True))}
        for j in range(u.shape[2])
        for i in range(t.size)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("suffix", ["npz", "csv", "parquet"])
def test_users_trajectories_become_pairs(tmp_path: Path, suffix: str) -> None:
    t, u = states()
    path = tmp_path / f"mine.{suffix}"
    if suffix == "npz":
        np.savez(path, t=t, u=u)
    elif suffix == "csv":
        table(t, u).sample(frac=1, random_state=0).to_csv(path, index=False)
    else:
        table(t, u).to_parquet(path)
    read = read_trajectories(path, HENON_HEILES)
    np.testing.assert_allclose(read.u, u, rtol=1e-14)
    data = dataset_from_trajectories(read, HENON_HEILES, RK4)
    np.testing.assert_allclose((data.u + data.S + data.r)[:, data.trajectory == 1], u[1:, :, 1].T, atol=1e-14)
    assert dataset_from_trajectories(read, HENON_HEILES, RK4, dt=1.0).n == 12
    with pytest.raises(AttnsError, match="whole multiple"):
        dataset_from_trajectories(read, HENON_HEILES, RK4, dt=0.7)


def test_bad_trajectories_are_refused_by_name(tmp_path: Path) -> None:
    t, u = states()
    path = tmp_path / "mine.npz"

    def refused(match: str) -> None:
        with pytest.raises(AttnsError, match=match):
            read_trajectories(path, HENON_HEILES)

    lost = u.copy()
    lost[4, 1, 2] = np.nan
    np.savez(path, t=t, u=lost)
    refused("'y' of trajectory 2 at t=2")
    uneven = t.copy()
    uneven[5] += 0.1
    np.savez(path, t=uneven, u=u)
    refused("not evenly spaced")
    np.savez(path, t=t, u=u[:, :3])
    refused("expected \\(n_save, dim, n\\)")
    np.savez(path, u=u)
    refused("no array 't'")
    np.savez(path, t=np.array([object()], dtype=object), u=u)
    refused("not a readable .npz")
    path.write_text("nothing")
    refused("not a readable .npz")
    path = tmp_path / "mine.csv"
    table(t, u).rename(columns={HENON_HEILES.component_names[2]: "momentum"}).to_csv(path, index=False)
    refused("columns are")
    table(t, u).iloc[:-1].to_csv(path, index=False)
    refused("other times")
    path = tmp_path / "mine.xlsx"
    path.write_text("")
    refused("come as .npz")
    path = tmp_path / "absent.csv"
    refused("no trajectory file")
