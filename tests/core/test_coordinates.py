"""Equations in coordinates of one's own: the same motion, on every backend, with correctors of their own."""

from dataclasses import replace

import numpy as np
import pytest
from attns_plugins.correctors.neurvec import NEURVEC
from attns_plugins.equations.lotka_volterra import LOTKA_VOLTERRA
from attns_plugins.equations.robertson import ROBERTSON
from attns_plugins.methods.rk4 import RK4
from attns_plugins.methods.rodas5p import RODAS5P
from attns_plugins.methods.zero import ZERO
from attns_plugins.recipes.lsq import LSQ
from attns_plugins.recipes.varpro_lm import VARPRO_LM

from attns_core import AbstractMethod, Adaptive, AttnsError, OneStepSolver, Problem, Registry, build_registry, solve
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.coordinates import ChangeOfCoordinates, Coordinate, logarithm
from attns_core.sequence_training import follow_transients, train_sequence
from attns_core.trained_corrector import TrainedCorrector
from attns_core.training import train

PREY = ChangeOfCoordinates(
    equation=LOTKA_VOLTERRA, coordinates={name: logarithm() for name in LOTKA_VOLTERRA.component_names}
)
ROOT = Coordinate(name="root", forward=lambda u, m: m.sqrt(u), backward=lambda v, m: v**2, slope=lambda v, m: 2.0 * v)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return build_registry()


@pytest.mark.parametrize("coordinate", [logarithm(), logarithm(0.1), ROOT], ids=["log", "log with floor", "own"])
def test_the_motion_is_the_same(coordinate: Coordinate) -> None:
    first = LOTKA_VOLTERRA.component_names[0]
    change = ChangeOfCoordinates(equation=LOTKA_VOLTERRA, coordinates={first: coordinate})
    problem = Problem.sample(LOTKA_VOLTERRA, n=5, seed=1, t_end=2.0, save_every=0.5)
    there = Problem(equation=change.transformed, u0=change.forward(problem.u0), t_save=problem.t_save)
    solver = OneStepSolver(method=RK4, backend=NumbaBackend())
    u, v = solve(problem, solver, dt=0.0025).u, solve(there, solver, dt=0.0025).u
    np.testing.assert_allclose(change.backward(v), u, rtol=1e-8)
    assert not np.allclose(u, v)
    # Samples and invariants are those of the equation.
    np.testing.assert_allclose(change.backward(change.transformed.initial_states(1, 5)), problem.u0, rtol=1e-13)
    for name, value in LOTKA_VOLTERRA.invariant_values(0.0, u[-1]).items():
        np.testing.assert_allclose(change.transformed.invariant_values(0.0, v[-1])[name], value, rtol=1e-8)


@pytest.mark.parametrize(
    ("method", "backends"),
    # torch has no step for maps that stand alone.
    [(ZERO, ("numpy", "numba")), (RK4, ("numpy", "numba", "torch-cpu"))],
    ids=["zero", "rk4"],
)
def test_correctors_in_coordinates_are_the_same_on_all_backends(
    method: AbstractMethod, backends: tuple[str, ...], registry: Registry
) -> None:
    equation, form = PREY.transformed, NEURVEC.with_options(width=12, activation="tanh", linear=True, margin=0.5)
    recipe = LSQ.with_options(bandwidths=(1.0,))
    trained = train(equation, method, form, recipe, dt=0.25, trajectories=10, t_end=2.0)
    problem = Problem.sample(equation, n=7, seed=3, t_end=1.0, save_every=0.5)
    found = {
        name: solve(
            problem,
            OneStepSolver(method=method, backend=registry.backend(name), corrector=trained.corrector),
            dt=0.25,
        ).u
        for name in backends
    }
    bare = solve(problem, OneStepSolver(method=RK4, backend=NumbaBackend()), dt=0.0025).u
    assert np.abs(found["numpy"] - bare).max() < 0.1
    # Large heads cancel and amplify the round-off of activations.
    assert isinstance(trained.corrector, TrainedCorrector)
    assert trained.corrector.offset is not None
    heads = float(np.abs(trained.corrector.offset).sum())
    for u in found.values():
        np.testing.assert_allclose(u, found["numpy"], rtol=0, atol=1e-14 * max(1.0, heads))
    assert PREY.backward(found["numba"]).min() > 0


def test_small_networks_follow_robertson_in_logarithms() -> None:
    floors = dict(zip(ROBERTSON.component_names, (1e-3, 1e-6, 0.1), strict=True))
    change = ChangeOfCoordinates(
        equation=ROBERTSON, coordinates={name: logarithm(floor) for name, floor in floors.items()}
    )
    equation, source = change.transformed, OneStepSolver(method=RODAS5P, backend=NumbaBackend())
    there = Problem.sample_log(equation, points=5, n=64, seed=[4, 2])
    here = Problem(equation=ROBERTSON, u0=change.backward(there.u0), t_save=there.t_save)
    truth = solve(here, source, rtol=1e-10, atol=1e-13).u
    transients = follow_transients(
        equation,
        t_save=there.t_save,
        steps=1,
        trajectories=200,
        source=source,
        control=Adaptive(rtol=1e-9, atol=1e-12),
        seed=4,
    )
    form = NEURVEC.with_options(width=8, activation="tanh", linear=True, margin=0.5)
    trained = train_sequence(ZERO, form, VARPRO_LM.with_options(iterations=25, bandwidths=(0.25,)), transients, seed=4)
    solver = OneStepSolver(method=ZERO, backend=NumbaBackend(), corrector=trained.corrector)
    got = change.backward(solve(there, solver, steps=1).u)
    scale = np.sqrt(np.mean(truth**2, axis=(0, 2)))[:, None]
    assert np.sqrt(np.mean(((got - truth)[1:] / scale) ** 2)) < 2e-3


def test_identities_cover_the_equation_and_the_coordinates() -> None:
    first, second = LOTKA_VOLTERRA.component_names
    changes = [
        {first: logarithm()},
        {second: logarithm()},
        {first: logarithm(0.1)},
        {first: ROOT},
        {first: replace(ROOT, name="log")},
    ]
    found = [ChangeOfCoordinates(equation=LOTKA_VOLTERRA, coordinates=c).transformed.identity() for c in changes]
    assert len({str(i) for i in found}) == len(changes)
    again = ChangeOfCoordinates(equation=LOTKA_VOLTERRA, coordinates={first: logarithm()}).transformed
    assert again.identity() == found[0]


def test_wrong_coordinates_are_refused() -> None:
    first = LOTKA_VOLTERRA.component_names[0]

    def change(coordinate: Coordinate, name: str = first) -> ChangeOfCoordinates:
        return ChangeOfCoordinates(equation=LOTKA_VOLTERRA, coordinates={name: coordinate})

    with pytest.raises(AttnsError, match="slope differs"):
        change(replace(ROOT, slope=lambda v, m: v))
    with pytest.raises(AttnsError, match="must be the inverse"):
        change(replace(ROOT, backward=lambda v, m: v**3))
    with pytest.raises(AttnsError, match="no finite coordinate"):
        change(logarithm(-100.0))
    with pytest.raises(AttnsError, match="wolves"):
        change(ROOT, "wolves")
