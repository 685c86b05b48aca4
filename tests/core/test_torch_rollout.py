"""Gradients through the solver, and the corrector as a torch module."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from attns_core import AttnsError, FixedStep, Problem, build_registry  # noqa: E402
from attns_core.backends.numpy_reference import NumpyBackend  # noqa: E402
from attns_core.backends.torch_corrector import CorrectorModule  # noqa: E402
from attns_core.backends.torch_rollout import rollout  # noqa: E402
from attns_core.correction import correction, features  # noqa: E402
from attns_core.corrector import ACTIVATIONS  # noqa: E402
from attns_core.trained_corrector import Layer, TrainedCorrector  # noqa: E402

REGISTRY = build_registry()
RK4 = REGISTRY.method("rk4")
PENDULUM = REGISTRY.equation("elastic-pendulum")
SHAPES = {
    "rational": np.array([1.1915, 1.5957, 0.5, 0.0218, 2.383, 0.1, 1.0]),
    "fsnet": np.tile(np.array([[-0.1], [2.5], [0.01], [0.01], [0.01]]), (1, 3)),
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def trained(activation: Any = "sine", **options: Any) -> TrainedCorrector:
    rng = np.random.default_rng(2)
    layer = Layer(
        weight=rng.normal(size=(3, 4)) / 4,
        bias=rng.normal(size=3),
        activation=activation,
        shape=SHAPES.get(activation, np.empty(0)),
    )
    given: dict[str, Any] = {
        "input": "u",
        "mean": rng.normal(size=4),
        "scale": 2 + rng.random(4),
        "layers": (layer,),
        "offset": 1e-2 * rng.normal(size=(8, 4)),
        "weights": 1e-2 * rng.normal(size=(8, 4, 1)),
        "values": np.eye(4),
    }
    return TrainedCorrector(**{**given, **options})


def states(n: int = 2) -> Any:
    return torch.tensor(PENDULUM.initial_states(0, n))


@pytest.mark.parametrize("checkpoint", [None, 2])
@pytest.mark.parametrize("limit", [None, 1e3])
def test_gradcheck_of_states_parameters_and_weights(checkpoint: int | None, limit: float | None) -> None:
    module = CorrectorModule.from_trained(trained("rational"))
    names, weights = zip(*module.named_parameters(), strict=True)

    class Rollout(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.corrector = module

        def forward(self, u0: Any, p: Any) -> Any:
            return rollout(
                PENDULUM, RK4, u0, dt=0.1, steps=3, corrector=module, parameters=p, checkpoint=checkpoint, limit=limit
            )

    def function(u0: Any, p: Any, *values: Any) -> Any:
        given = {f"corrector.{name}": value for name, value in zip(names, values, strict=True)}
        return torch.func.functional_call(Rollout(), given, (u0, p))

    p = torch.tensor(PENDULUM.p.numeric(), requires_grad=True)
    assert torch.autograd.gradcheck(function, (states().requires_grad_(), p, *weights), fast_mode=True)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradcheck_of_every_activation(activation: Any) -> None:
    module = CorrectorModule.from_trained(trained(activation, bound=np.full(4, 0.5), clip=np.full(4, 0.4)))
    u, S = states(), states().roll(1, 0).detach()
    k = torch.stack([u * c for c in (1.0, 0.5, -1.0, 2.0)])
    inputs = [x.clone().requires_grad_() for x in (u, S, k)]
    assert torch.autograd.gradcheck(lambda u, S, k: module(u, S, k, 0.1), inputs, fast_mode=True)
    assert all(p.requires_grad for p in module.parameters())
    assert len(module.layers[0].shape) == len(SHAPES.get(activation, ()))


def test_gradients_of_list_parameters_in_array_form() -> None:
    chain = REGISTRY.equation("spring-chain").with_params(n=2)
    u0 = torch.tensor(chain.initial_states(0, 2))
    p = torch.tensor(chain.p.numeric(), requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: rollout(chain, RK4, u0, dt=0.1, steps=2, parameters=p), (p,))


@pytest.mark.parametrize("method", ["rk4", "stormer-verlet"])
def test_a_rollout_is_what_the_solver_computes(method: str) -> None:
    equation = REGISTRY.equation("henon-heiles")
    problem = Problem(equation=equation, u0=equation.initial_states(0, 3), t_save=0.1 * np.arange(6))
    scheme = REGISTRY.method(method)
    corrector = trained(values=None, weights=None)
    expected = NumpyBackend().prepare(problem, scheme, FixedStep(0.1), corrector, "float64")()
    module = CorrectorModule.from_trained(corrector)
    found = rollout(equation, scheme, torch.tensor(problem.u0), dt=0.1, steps=5, corrector=module)
    np.testing.assert_allclose(found.detach().numpy(), expected.u, rtol=0, atol=1e-13)


def test_every_trajectory_may_start_at_its_own_time() -> None:
    equation = REGISTRY.equation("driven-oscillator")
    u0, times = torch.tensor(equation.initial_states(0, 2)), torch.tensor([0.3, 1.7], dtype=torch.float64)
    together = rollout(equation, RK4, u0, dt=0.1, steps=3, t0=times)
    for i, t0 in enumerate((0.3, 1.7)):
        alone = rollout(equation, RK4, u0[:, i : i + 1], dt=0.1, steps=3, t0=t0)
        torch.testing.assert_close(together[:, :, i], alone[:, :, 0], rtol=0, atol=1e-14)
    assert not torch.equal(together[-1, :, 0], rollout(equation, RK4, u0, dt=0.1, steps=3)[-1, :, 0])


def test_a_lost_trajectory_passes_no_gradient() -> None:
    module = CorrectorModule.from_trained(trained())
    u0 = states(3)
    u0[1, 1] = 0.0  # no length: the right-hand side divides by zero
    u = rollout(PENDULUM, RK4, u0, dt=0.1, steps=4, corrector=module, limit=1e3)
    assert torch.equal(u[-1, :, 1], u0[:, 1])
    u[-1].square().sum().backward()
    used = [p for p in module.parameters() if p.numel() > 0]  # a sine has no shape
    found = [p.grad.clone() for p in used]
    module.zero_grad()
    alone = rollout(PENDULUM, RK4, u0[:, [0, 2]], dt=0.1, steps=4, corrector=module)
    alone[-1].square().sum().backward()
    for gradient, p in zip(found, used, strict=True):
        torch.testing.assert_close(gradient, p.grad, rtol=1e-12, atol=1e-14)


def test_trained_correctors_survive_the_module_unchanged() -> None:
    before = trained("fsnet", bound=np.full(4, 0.5), clip=np.full(4, 0.4))
    after = CorrectorModule.from_trained(before).to_trained()
    rng = np.random.default_rng(0)
    u, S, k = rng.normal(size=(4, 5)), rng.normal(size=(4, 5)), rng.normal(size=(4, 4, 5))
    np.testing.assert_array_equal(correction(after, u, S, k, 0.1), correction(before, u, S, k, 0.1))
    assert (after.linear, after.active, after.input) == (before.linear, before.active, before.input)


def test_module_features_are_the_definition() -> None:
    exponents = np.array([[1, 2, 0, 0], [0, 0, 3, 0], [2, 0, 0, 1], [0, 0, 0, 0]])
    for corrector in (trained("silu"), trained(layers=(), exponents=exponents)):
        x = np.random.default_rng(1).normal(size=(4, 5))
        found = CorrectorModule.from_trained(corrector).features(torch.tensor(x)).detach().numpy()
        np.testing.assert_allclose(found, features(corrector, x), rtol=1e-13)


@pytest.mark.parametrize("shape", [(4, 0), (3, 2), (4,)])
def test_a_wrong_batch_is_a_clear_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(AttnsError, match=r"must have shape \(4, n\)"):
        rollout(PENDULUM, RK4, torch.zeros(shape, dtype=torch.float64), dt=0.1, steps=1)


def test_checkpoints_hold_at_least_one_step() -> None:
    with pytest.raises(AttnsError, match="at least 1 step"):
        rollout(PENDULUM, RK4, states(), dt=0.1, steps=1, checkpoint=0)
