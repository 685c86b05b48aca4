"""The torch backend against the numpy reference."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from attns_core import Adaptive, AttnsError, FixedStep, Problem, build_registry  # noqa: E402
from attns_core.backends.numpy_reference import NumpyBackend  # noqa: E402
from attns_core.backends.torch_device import TorchBackend  # noqa: E402
from attns_core.correction import gather_inputs  # noqa: E402
from attns_core.corrector import ACTIVATIONS, INPUTS  # noqa: E402
from attns_core.equation import Equation  # noqa: E402
from attns_core.flow import step_increment  # noqa: E402
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Splitting  # noqa: E402
from attns_core.trained_corrector import Layer, TrainedCorrector  # noqa: E402

REGISTRY = build_registry()
NUMPY, EAGER, COMPILED = NumpyBackend(), TorchBackend(compile=False), TorchBackend(compile=True)
EXPLICIT = [m for m in REGISTRY.all("method") if isinstance(m, ExplicitRungeKutta | Splitting)]
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}


SHAPES = {
    "rational": np.array([1.1915, 1.5957, 0.5, 0.0218, 2.383, 0.1, 1.0]),
    "fsnet": np.tile(np.array([[-0.1], [2.5], [1e-4], [1e-3], [0.1]]), (1, 6)),
}
SIZE = 1e-3


def random_corrector(
    problem: Problem,
    method: AbstractMethod,
    dt: float,
    *,
    input: str = "u",
    activation: Any = "sine",
    depth: int = 1,
    monomials: Any = None,
    values: Any = None,
    shared: bool = False,
    offset: bool = True,
    limits: bool = False,
) -> TrainedCorrector:
    """A corrector with random weights, its inputs standardised by the problem's initial states."""
    rng, dim = np.random.default_rng(3), problem.equation.dim
    S, k = step_increment(problem.equation, method, problem.t0, problem.u0, dt)
    x = gather_inputs(input, problem.u0, S, k)
    n_in = len(x)
    # A stiff equation is thrown off its slow manifold by anything much larger than its increment.
    size = SIZE * (np.abs(S).max() if "stiff" in problem.equation.tags else 1.0)
    layers: tuple[Layer, ...] = ()
    if monomials is None:
        sizes = [n_in, *[6] * depth]
        layers = tuple(
            Layer(
                weight=rng.normal(size=(n_out, n)) / np.sqrt(n),
                bias=rng.normal(size=n_out),
                activation=activation,
                shape=SHAPES.get(activation, np.empty(0)),
            )
            for n, n_out in pairwise(sizes)
        )
    exponents = None if monomials is None else np.array([[*row, *[0] * (n_in - len(row))] for row in monomials])
    n_features = 1 + n_in + (6 if exponents is None else len(exponents))
    weights = None
    if values is not None:
        weights = size * rng.normal(size=(n_features, len(values), 1 if shared else dim))
    return TrainedCorrector(
        input=input,
        mean=x.mean(axis=1) + SIZE,
        scale=SIZE + 2 * np.abs(x).max(axis=1),
        layers=layers,
        exponents=exponents,
        offset=size * rng.normal(size=(n_features, dim)) if offset else None,
        weights=weights,
        values=values,
        bound=np.full(dim, 0.05) if limits else None,
        clip=np.full(dim, 0.01) if limits else None,
        # A polynomial of degree 25 (two layers) beyond the inputs it is for throws any solution off.
        lower=x.min(axis=1) - SIZE if activation == "quintic" else None,
        upper=x.max(axis=1) + SIZE if activation == "quintic" else None,
    )


def correctors(problem: Problem, method: AbstractMethod, dt: float) -> Iterator[tuple[str, TrainedCorrector]]:
    """One corrector per option of the family that the method can offer."""
    runge_kutta = isinstance(method, ExplicitRungeKutta)
    inputs = tuple(name for name in INPUTS if name != "u0") if runge_kutta else ("u", "S", "uS")
    for name in inputs:
        yield f"input {name}", random_corrector(problem, method, dt, input=name)
    for activation in ACTIVATIONS:
        yield activation, random_corrector(problem, method, dt, activation=activation, depth=2)
    yield (
        "monomials",
        random_corrector(
            problem, method, dt, monomials=[[2], [0, 2], [1, 1], [3], [1, 2]] if problem.equation.dim > 1 else [[2]]
        ),
    )
    yield "limits", random_corrector(problem, method, dt, limits=True)
    if runge_kutta:
        s = method.stages
        yield "stages", random_corrector(problem, method, dt, values=np.eye(s))
        yield "increment", random_corrector(problem, method, dt, values=method.tableau.b[None], offset=False)
        mixed = np.eye(s) - np.eye(s)[0]
        yield "differences", random_corrector(problem, method, dt, input="uK", values=mixed, shared=True)


def short(equation: Equation, n: int = 3) -> tuple[Problem, float]:
    """Four steps from sampled states, saved unevenly, small enough to be stable on stiff equations too."""
    dt = equation.dts[-1] / (1e6 if "stiff" in equation.tags else 100)
    t_save = equation.t0 + dt * np.array([0, 1, 4])
    return Problem(equation=equation, u0=equation.initial_states(1, n), t_save=t_save), dt


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def assert_agree(backend: TorchBackend, problem: Problem, method: Any, dt: float, corrector: Any, dtype: str) -> None:
    control = FixedStep(dt)
    expected = NUMPY.prepare(problem, method, control, corrector, dtype)()
    found = backend.prepare(problem, method, control, corrector, dtype)()
    assert found.u.dtype == np.dtype(dtype)
    # float64 component by component; float32 in the norm.
    floor = 1e-3 * max(1.0, np.abs(expected.u).max())  # components that start at zero have no size of their own
    axes = (0, 2) if dtype == "float64" else None
    scale = np.maximum(np.abs(expected.u).max(axis=axes, keepdims=True), floor)
    error = np.abs((found.u - expected.u) / scale).max()
    if error > TOLERANCE[dtype]:
        # Cancellation in a right-hand side (the distances of Arenstorf's orbit) or in a tableau (b of verner6
        # sums to 354 in absolute value) magnifies rounding: the reference itself moves that far when its
        # initial states move by their last digit.
        nudged = replace(problem, u0=np.nextafter(problem.u0.astype(dtype), np.inf, dtype=dtype).astype("float64"))
        moved = NUMPY.prepare(nudged, method, control, corrector, dtype)()
        assert error <= 10 * np.abs((moved.u - expected.u) / scale).max()
    for counter in ("n_steps", "nfe", "n_corrector", "n_rejected"):
        np.testing.assert_array_equal(getattr(found, counter), getattr(expected, counter))


@pytest.mark.parametrize("equation", REGISTRY.all("equation"), ids=lambda e: e.name)
def test_every_method_on_every_equation(equation: Any) -> None:
    problem, dt = short(equation)
    for method in EXPLICIT:
        if EAGER.supports(problem, method, FixedStep(dt), None, "float64") is None:
            for dtype in TOLERANCE:
                assert_agree(EAGER, problem, method, dt, None, dtype)


@pytest.mark.parametrize("equation", REGISTRY.all("equation"), ids=lambda e: e.name)
def test_every_corrector_on_every_equation(equation: Any) -> None:
    problem, dt = short(equation)
    method = REGISTRY.method("rk4")
    for _, corrector in correctors(problem, method, dt):
        for dtype in TOLERANCE:
            assert_agree(EAGER, problem, method, dt, corrector, dtype)


@pytest.mark.soak
@pytest.mark.parametrize("equation", REGISTRY.all("equation"), ids=lambda e: e.name)
def test_every_corrector_with_every_method_on_every_equation(equation: Any) -> None:
    problem, dt = short(equation)
    for method in EXPLICIT:
        if EAGER.supports(problem, method, FixedStep(dt), None, "float64") is None:
            for _, corrector in correctors(problem, method, dt):
                for dtype in TOLERANCE:
                    assert_agree(EAGER, problem, method, dt, corrector, dtype)


@pytest.mark.parametrize("method", EXPLICIT, ids=lambda m: m.name)
def test_every_corrector_with_every_method(method: Any) -> None:
    problem, dt = short(REGISTRY.equation("henon-heiles"))
    for _, corrector in correctors(problem, method, dt):
        for dtype in TOLERANCE:
            assert_agree(EAGER, problem, method, dt, corrector, dtype)


def test_compiled_steps_agree_and_pad_the_last_block(monkeypatch: pytest.MonkeyPatch) -> None:
    from attns_core.backends import torch_fixed

    monkeypatch.setattr(torch_fixed, "_block_size", lambda *_, **__: 4)
    method = REGISTRY.method("rk4")
    problem, dt = short(REGISTRY.equation("driven-oscillator"), n=6)
    corrector = random_corrector(problem, method, dt, input="uK", activation="rational", values=np.eye(4))
    assert_agree(COMPILED, problem, method, dt, corrector, "float64")
    assert_agree(EAGER, problem, method, dt, corrector, "float64")


def test_several_steps_in_one_graph_keep_the_clock() -> None:
    equation, method, dt = REGISTRY.equation("driven-oscillator"), REGISTRY.method("rk4"), 0.05
    t_save = equation.t0 + dt * np.array([0, 4, 10])
    problem = Problem(equation=equation, u0=equation.initial_states(1, 3), t_save=t_save)
    assert_agree(COMPILED, problem, method, dt, None, "float64")
    run = COMPILED.prepare(problem, method, FixedStep(dt), None, "float64")
    assert run().extra["compiled_steps"] == 2


def test_a_compiled_splitting_in_float32_agrees() -> None:
    problem, dt = short(REGISTRY.equation("henon-heiles"))
    assert_agree(COMPILED, problem, REGISTRY.method("stormer-verlet"), dt, None, "float32")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("input", ["u", "S"])
def test_compiled_hidden_layers_agree(input: str, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from attns_core.backends import torch_fixed, torch_layer

    monkeypatch.setattr(torch_layer, "FEWEST", 1)
    monkeypatch.setattr(torch_fixed, "_block_size", lambda *_, **__: 16)
    method = REGISTRY.method("rk4")
    problem, dt = short(REGISTRY.equation("henon-heiles"), n=37)
    corrector = random_corrector(problem, method, dt, input=input, activation="rational")
    torch.set_num_threads(threads)
    try:
        assert_agree(COMPILED, problem, method, dt, corrector, "float64")
        assert_agree(COMPILED, problem, method, dt, corrector, "float32")
        # Where a trajectory stands in the batch decides nothing, and one that is lost is lost alone.
        found = COMPILED.prepare(problem, method, FixedStep(dt), corrector, "float32")().u
        u0 = problem.u0[:, ::-1].copy()
        u0[:, 5] = 1e30
        turned = Problem(equation=problem.equation, u0=u0, t_save=problem.t_save)
        back = COMPILED.prepare(turned, method, FixedStep(dt), corrector, "float32")().u[:, :, ::-1]
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(1)
    calm = np.arange(37) != 37 - 1 - 5
    np.testing.assert_array_equal(back[:, :, calm], found[:, :, calm])


def test_compiled_weights_of_zero_are_the_bare_method_bit_for_bit() -> None:
    problem, dt = short(REGISTRY.equation("henon-heiles"), n=16)
    for name in ("rk4", "midpoint"):
        method = REGISTRY.method(name)
        zero = random_corrector(problem, method, dt, activation="rational")
        zero = replace(zero, offset=np.zeros_like(zero.offset))
        bare = COMPILED.prepare(problem, method, FixedStep(dt), None, "float64")()
        corrected = COMPILED.prepare(problem, method, FixedStep(dt), zero, "float64")()
        np.testing.assert_array_equal(corrected.u, bare.u)


def test_large_steps_are_compiled_in_array_form(monkeypatch: pytest.MonkeyPatch) -> None:
    from attns_core.backends import torch_compile

    monkeypatch.setattr(torch_compile, "MAX_NODES", 10)
    problem, dt = short(REGISTRY.equation("spring-chain").with_params(n=3))
    assert_agree(COMPILED, problem, REGISTRY.method("heun"), dt, None, "float64")


def test_the_compile_policy_follows_the_amount_of_work() -> None:
    from attns_core.backends.torch_compile import compile_pays, work

    method, cpu = REGISTRY.method("rk4"), torch.device("cpu")
    assert not compile_pays(work(method, 100, 4, 1000, None), cpu)
    assert compile_pays(work(method, 100_000, 4, 10_000, None), cpu)


def test_the_zero_corrector_is_the_bare_method_bit_for_bit() -> None:
    method = REGISTRY.method("rk4")
    problem, dt = short(REGISTRY.equation("lorenz-63"))
    zero = random_corrector(problem, method, dt, values=np.eye(4))
    assert zero.offset is not None
    assert zero.weights is not None
    zero = replace(zero, offset=0 * zero.offset, weights=0 * zero.weights)
    bare = EAGER.prepare(problem, method, FixedStep(dt), None, "float64")()
    corrected = EAGER.prepare(problem, method, FixedStep(dt), zero, "float64")()
    np.testing.assert_array_equal(corrected.u, bare.u)


def test_calls_and_preparations_repeat_bit_for_bit() -> None:
    method = REGISTRY.method("dopri5")
    problem, dt = short(REGISTRY.equation("elastic-pendulum"), n=50)
    corrector = random_corrector(problem, method, dt, input="K", values=np.eye(7))
    prepared = EAGER.prepare(problem, method, FixedStep(dt), corrector, "float64")
    first = prepared().u.copy()
    np.testing.assert_array_equal(prepared().u, first)
    np.testing.assert_array_equal(EAGER.prepare(problem, method, FixedStep(dt), corrector, "float64")().u, first)


def test_a_diverged_trajectory_leaves_the_others_alone() -> None:
    method = REGISTRY.method("rk4")
    problem, dt = short(REGISTRY.equation("henon-heiles"), n=4)
    u0 = problem.u0.copy()
    u0[:, 2] = 1e300
    wild = Problem(equation=problem.equation, u0=u0, t_save=problem.t_save)
    corrector = random_corrector(problem, method, dt, input="uK", values=np.eye(4))
    calm = EAGER.prepare(problem, method, FixedStep(dt), corrector, "float64")()
    found = EAGER.prepare(wild, method, FixedStep(dt), corrector, "float64")()
    assert found.finite.tolist() == [True, True, False, True]
    np.testing.assert_array_equal(found.u[:, :, [0, 1, 3]], calm.u[:, :, [0, 1, 3]])


def test_batches_of_one_none_and_a_million() -> None:
    equation, method = REGISTRY.equation("lorenz-63"), REGISTRY.method("euler")
    one, dt = short(equation, n=1)
    assert_agree(EAGER, one, method, dt, None, "float64")
    with pytest.raises(AttnsError, match="batch of 0"):
        Problem(equation=equation, u0=np.zeros((3, 0)), t_save=one.t_save)
    u0 = np.tile(one.u0, (1, 1_000_000))
    many = Problem(equation=equation, u0=u0, t_save=one.t_save[:2])
    found = EAGER.prepare(many, method, FixedStep(dt), None, "float32")()
    expected = EAGER.prepare(one, method, FixedStep(dt), None, "float32")()
    assert found.u.shape == (2, 3, 1_000_000)
    assert np.all(found.u[1] == expected.u[1])


def test_a_single_saved_time_needs_no_step() -> None:
    problem, dt = short(REGISTRY.equation("lorenz-63"))
    still = Problem(equation=problem.equation, u0=problem.u0, t_save=problem.t_save[:1])
    assert_agree(EAGER, still, REGISTRY.method("rk4"), dt, None, "float64")


def test_the_registry_imports_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys; from attns_core import build_registry; build_registry(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(("device", "reason"), [("cuda:99", "no CUDA device"), ("tpu", "no such device 'tpu'")])
def test_a_missing_device_is_a_reason_and_a_clear_error(device: str, reason: str) -> None:
    problem, dt = short(REGISTRY.equation("lorenz-63"))
    backend, method = TorchBackend(name="torch-cuda", device=device), REGISTRY.method("rk4")
    found = backend.supports(problem, method, FixedStep(dt), None, "float64")
    assert found is not None
    assert reason in found
    with pytest.raises(AttnsError, match=reason):
        backend.prepare(problem, method, FixedStep(dt), None, "float64")


@pytest.mark.parametrize("method", ["bs3", "dopri5", "tsit5", "dop853"])
@pytest.mark.parametrize("equation", ["driven-oscillator", "elastic-pendulum", "spring-chain"])
def test_adaptive_steps_are_those_of_the_reference(equation: str, method: str) -> None:
    problem = Problem.sample(REGISTRY.equation(equation), n=4, seed=2, t_end=2.0, save_every=0.5)
    control, scheme = Adaptive(rtol=1e-5, atol=1e-6), REGISTRY.method(method)
    expected = NUMPY.prepare(problem, scheme, control, None, "float64")()
    found = EAGER.prepare(problem, scheme, control, None, "float64")()
    np.testing.assert_allclose(found.u, expected.u, rtol=1e-10, atol=1e-11)
    for counter in ("n_steps", "nfe", "n_rejected", "n_corrector"):
        np.testing.assert_array_equal(getattr(found, counter), getattr(expected, counter))


@pytest.mark.parametrize("options", [{"max_steps": 7}, {}])
def test_adaptive_trajectories_are_given_up_alone(options: dict[str, int]) -> None:
    problem = Problem.sample(REGISTRY.equation("henon-heiles"), n=3, seed=2, t_end=2.0, save_every=0.5)
    u0 = problem.u0.copy()
    u0[:, 1] = 30.0  # leaves the valley and reaches infinity
    problem = Problem(equation=problem.equation, u0=u0, t_save=problem.t_save)
    control, method = Adaptive(rtol=1e-6, atol=1e-6, **options), REGISTRY.method("dopri5")
    expected = NUMPY.prepare(problem, method, control, None, "float64")()
    found = EAGER.prepare(problem, method, control, None, "float64")()
    assert found.message == expected.message != ""
    np.testing.assert_array_equal(found.finite, expected.finite)
    others = expected.finite
    np.testing.assert_allclose(found.u[..., others], expected.u[..., others], rtol=1e-10)


def test_what_torch_cannot_do_is_a_reason() -> None:
    problem, dt = short(REGISTRY.equation("lorenz-63"))
    adaptive, rk4 = Adaptive(rtol=1e-5, atol=1e-5), REGISTRY.method("rk4")
    corrector = random_corrector(problem, rk4, dt)
    assert EAGER.supports(problem, rk4, adaptive, None, "float64") == "rk4 has no error estimate"
    assert "one dt" in str(EAGER.supports(problem, REGISTRY.method("bs3"), adaptive, corrector, "float64"))
    regression = replace(corrector, input="u0")
    assert "initial states" in str(EAGER.supports(problem, rk4, FixedStep(dt), regression, "float64"))
    rosenbrock = REGISTRY.method("rodas4")
    assert "no step for Rosenbrock" in str(EAGER.supports(problem, rosenbrock, FixedStep(dt), None, "float64"))
    assert "separable" in str(EAGER.supports(problem, REGISTRY.method("yoshida4"), FixedStep(dt), None, "float64"))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_a_gpu_agrees(compile: bool, dtype: str) -> None:
    backend = TorchBackend(name="torch-cuda", device="cuda", compile=compile)
    for name in ("driven-oscillator", "spring-chain"):
        problem, dt = short(REGISTRY.equation(name), n=5)
        for method in ("euler", "rk4", "dop853"):
            assert_agree(backend, problem, REGISTRY.method(method), dt, None, dtype)
        for _, corrector in correctors(problem, REGISTRY.method("rk4"), dt):
            assert_agree(backend, problem, REGISTRY.method("rk4"), dt, corrector, dtype)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_captured_graph_keeps_its_clock_over_intervals_and_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    from attns_core.backends import torch_fixed

    monkeypatch.setattr(torch_fixed, "_block_size", lambda *_, **__: 4)
    equation, dt = REGISTRY.equation("driven-oscillator"), 0.01
    t_save = equation.t0 + dt * np.array([0, 6, 10, 12])
    problem = Problem(equation=equation, u0=equation.initial_states(0, 9), t_save=t_save)
    backend = TorchBackend(name="torch-cuda", device="cuda", compile=False)
    assert_agree(backend, problem, REGISTRY.method("rk4"), dt, None, "float64")
    prepared = backend.prepare(problem, REGISTRY.method("rk4"), FixedStep(dt), None, "float64")
    assert prepared().extra["graph_steps"] == 2
    np.testing.assert_array_equal(prepared().u, prepared().u)
