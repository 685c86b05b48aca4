"""Corrected steps on the compiled backend: every form of the term against its definition."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from attns_core import FixedStep, Problem, build_registry
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.correction import input_size
from attns_core.corrector import ACTIVATIONS
from attns_core.trained_corrector import Layer, TrainedCorrector

REGISTRY = build_registry()
PENDULUM = REGISTRY.equation("elastic-pendulum")
RK4 = REGISTRY.method("rk4")
STAGES = ({0: 1.0}, {1: 1.0, 0: -1.0}, {2: 0.5, 3: 0.5})


def corrector(
    equation: Any,
    method: Any,
    *,
    source: str = "u",
    activations: tuple[str, ...] = ("sine",),
    width: int = 7,
    degree: int = 0,
    linear: bool = True,
    offset: bool = True,
    values: tuple[dict[int, float], ...] = (),
    shared: bool = False,
    limit: float | None = None,
    size: float = 1e-3,
) -> TrainedCorrector:
    """A corrector of the asked-for form with random weights."""
    rng, dim = np.random.default_rng(1), equation.dim
    n_in = input_size(source, dim, method)
    layers, before = [], n_in
    for activation in activations:
        shape = np.zeros(0)
        if activation == "rational":
            shape = np.array([0.02, 0.5, 1.6, 1.2, 1.0, 0.0, 2.4])
        elif activation == "fsnet":
            shape = 0.3 * rng.normal(size=(5, width))
        weight = rng.normal(size=(width, before)) / np.sqrt(before)
        layers.append(Layer(weight=weight, bias=rng.normal(size=width), activation=activation, shape=shape))  # type: ignore[arg-type]
        before = width
    exponents = [e for e in product(range(degree + 1), repeat=n_in) if 1 < sum(e) <= degree] if degree else None
    hidden = width if activations else len(exponents or ())
    n = 1 + (n_in if linear else 0) + hidden
    mixed = np.zeros((len(values), method.stages))
    for v, row in enumerate(values):
        for j, c in row.items():
            mixed[v, j] = c
    return TrainedCorrector(
        input=source,
        mean=0.1 * rng.normal(size=n_in),
        scale=1 + rng.random(n_in),
        layers=tuple(layers),
        exponents=None if exponents is None else np.array(exponents),
        linear=linear,
        offset=size / n * rng.normal(size=(n, dim)) if offset else None,
        weights=size / n * rng.normal(size=(n, len(values), 1 if shared else dim)) if values else None,
        values=mixed if values else None,
        bound=None if limit is None else np.full(dim, limit),
        clip=None if limit is None else np.full(dim, 0.7 * limit),
    )


def check(equation: Any, method: Any, term: TrainedCorrector, dtype: str = "float64", **options: Any) -> None:
    dt = equation.dts[-1]
    problem = Problem.sample(equation, n=19, t_end=equation.t0 + 4 * dt, save_every=2 * dt)
    control = FixedStep(dt)
    expected = NumpyBackend().prepare(problem, method, control, term, "float64")()
    bare = NumpyBackend().prepare(problem, method, control, None, "float64")()
    got = NumbaBackend(lanes=16, **options).prepare(problem, method, control, term, dtype)()
    size = np.abs(expected.u).max(axis=(0, 2), keepdims=True)
    tolerance = 1e-13 if dtype == "float64" else 5e-6
    assert (np.abs(got.u - expected.u) / size).max() < tolerance
    # Without an effect far above the tolerance the comparison would show nothing.
    assert (np.abs(bare.u - expected.u) / size).max() > 20 * tolerance
    assert np.array_equal(got.n_corrector, expected.n_corrector)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: str) -> None:
    check(PENDULUM, RK4, corrector(PENDULUM, RK4, activations=(activation,)))


@pytest.mark.parametrize("source", ["S", "uS", "f", "K", "uK"])
def test_inputs(source: str) -> None:
    check(PENDULUM, RK4, corrector(PENDULUM, RK4, source=source, size=1e-2))


@pytest.mark.parametrize(
    "options",
    [
        {"values": STAGES, "source": "uK"},
        {"values": STAGES, "shared": True, "offset": False, "linear": False, "size": 0.1},
        {"limit": 1e-3, "size": 1e-2},
        {"activations": (), "degree": 3},
        {"activations": (), "size": 1e-2},
        {"activations": ("identity", "sine", "tanh")},
    ],
    ids=["stage-attention", "shared-weights", "bounded", "polynomial", "linear", "deep"],
)
def test_forms(options: dict[str, Any]) -> None:
    check(PENDULUM, RK4, corrector(PENDULUM, RK4, **options))


def test_method_that_leaves_a_stage_out() -> None:
    # The last stage of Dormand-Prince serves only the error estimate: zero as an input.
    method = REGISTRY.method("dopri5")
    check(PENDULUM, method, corrector(PENDULUM, method, source="K", size=1e-2))


def test_splitting() -> None:
    equation, method = REGISTRY.equation("henon-heiles"), REGISTRY.method("yoshida4")
    check(equation, method, corrector(equation, method, source="uS"))


def test_staged_steps() -> None:
    check(PENDULUM, RK4, corrector(PENDULUM, RK4, source="uK", values=STAGES), form="staged")


@pytest.mark.parametrize("activation", ["sine", "tanh"])
def test_tiles_and_matrix_products(activation: str) -> None:
    # 80 inputs and 40 outputs of the last layer are more than registers hold.
    equation = REGISTRY.equation("spring-chain")
    term = corrector(equation, RK4, source="uS", values=STAGES[:1], activations=(activation,))
    check(equation, RK4, term, form="staged")


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("fused", {"source": "uK", "values": STAGES, "shared": True, "size": 1e-2}),
        ("staged", {"source": "uK", "values": STAGES, "size": 1e-2}),
        ("staged", {"source": "S", "values": STAGES[:1], "limit": 1e-3, "size": 1e-2}),
        ("fused", {"activations": (), "size": 1e-2}),
    ],
    ids=["fused", "stages", "bounded", "linear"],
)
def test_many_components_are_loops_over_rows(form: str, options: dict[str, Any]) -> None:
    equation = REGISTRY.equation("spring-chain", n=9)
    term = corrector(equation, RK4, **options)
    reach = np.full(term.mean.size, 2.0)
    check(equation, RK4, replace(term, lower=-reach, upper=reach), form=form)


def test_monomials_of_many_components() -> None:
    equation = REGISTRY.equation("spring-chain", n=9)
    term = corrector(equation, RK4, activations=(), size=1e-2)
    products = np.array([e for pair in np.eye(18, dtype=int) for e in pair + np.eye(18, dtype=int)])
    heads = 1e-4 * np.random.default_rng(2).normal(size=(1 + 18 + len(products), 18))
    check(equation, RK4, replace(term, exponents=products, offset=heads))


@pytest.mark.parametrize("options", [{"lanes": 1}, {"lanes": 8}, {"lanes": 48}, {"lanes": 16, "fastmath": True}])
@pytest.mark.parametrize("values", [(), STAGES], ids=["offset", "stages"])
def test_monomials_in_blocks_of_any_size(values: tuple[dict[int, float], ...], options: dict[str, Any]) -> None:
    term = corrector(PENDULUM, RK4, activations=(), degree=4, values=values, size=1e-2)
    problem = Problem.sample(PENDULUM, n=19, t_end=2.0, save_every=1.0)
    expected = NumpyBackend().prepare(problem, RK4, FixedStep(0.1), term, "float64")()
    got = NumbaBackend(**options).prepare(problem, RK4, FixedStep(0.1), term, "float64")()
    np.testing.assert_allclose(got.u, expected.u, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("activation", "dtype", "limit"), [("sine", "float64", 1e-11), ("rational", "float32", 2e-4)])
def test_fast_math_is_no_other_formula(activation: str, dtype: str, limit: float) -> None:
    term = corrector(PENDULUM, RK4, activations=(activation,), values=STAGES, size=1e-2)
    problem = Problem.sample(PENDULUM, n=70, t_end=2.0, save_every=1.0)
    expected = NumpyBackend().prepare(problem, RK4, FixedStep(0.1), term, "float64")()
    got = NumbaBackend(fastmath=True).prepare(problem, RK4, FixedStep(0.1), term, dtype)()
    np.testing.assert_allclose(got.u, expected.u, rtol=limit, atol=limit)


def test_single_precision() -> None:
    check(PENDULUM, RK4, corrector(PENDULUM, RK4, size=1e-2), "float32")


def test_no_effect_means_no_difference() -> None:
    """Weights of zero, and a closed gate, leave the bare method's result bit for bit."""
    problem = Problem.sample(PENDULUM, n=19, t_end=2.0, save_every=1.0)
    term = corrector(PENDULUM, RK4, size=0.0)
    closed = replace(corrector(PENDULUM, RK4, size=1.0), active=False)
    for name in ("rk4", "euler"):
        bare, zero, gated = (
            NumbaBackend(lanes=16).prepare(problem, REGISTRY.method(name), FixedStep(0.1), c, "float64")()
            for c in (None, term, closed)
        )
        assert np.array_equal(bare.u, zero.u)
        assert np.array_equal(bare.u, gated.u)
        assert gated.n_corrector.max() == 0
        assert zero.n_corrector.max() == 20


def test_another_width_compiles_nothing() -> None:
    from attns_core.kernels import cache

    problem = Problem.sample(PENDULUM, n=19, t_end=0.2, save_every=0.1)
    for width in (5, 64):
        NumbaBackend(lanes=16).prepare(problem, RK4, FixedStep(0.1), corrector(PENDULUM, RK4, width=width), "float64")
        kernels = len(cache._loaded)
        overloads = sum(len(m.solve.signatures) for m in cache._loaded.values() if hasattr(m, "solve"))
        if width == 5:
            first = kernels, overloads
    assert (kernels, overloads) == first
