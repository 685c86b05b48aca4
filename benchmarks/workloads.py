"""The workloads of every speed table: fixed-step RK4 in large batches, every tenth state saved.

=====  ========================================  ========  =====  =====  ==========================
name   equation                                  batch     dt     steps  remark
=====  ========================================  ========  =====  =====  ==========================
W1     elastic-pendulum (dim 4)                  1000      0.01   5000   trigonometric
W2     henon-heiles (dim 4)                      1000      0.01   5000   polynomial
W3     spring-chain, 20 masses (dim 40)          1000      0.01   2000   large dimension
W4     lorenz-63 (dim 3)                         1         0.01   200000 one trajectory: latency
W5k2   k-link-pendulum, K=2 (dim 4)              200       0.005  2000   linear solve per evaluation
W5k4   k-link-pendulum, K=4 (dim 8)              200       0.005  2000   the same
W6el   W1 with a corrector of width 1024         1000      0.1    500    rational units, on the state
W6sp   W3 with a corrector of width 1024         1000      0.1    200    the same
=====  ========================================  ========  =====  =====  ==========================
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, final

import numpy as np

from attns_core import FixedStep, Problem, Registry, UnknownNameError, build_registry
from attns_core.trained_corrector import Layer, TrainedCorrector

SAVE_EVERY = 10
WIDTH = 1024
RATIONAL = np.array([1.1915, 1.5957, 0.5, 0.0218, 2.383, 0.0, 1.0])


@final
@dataclass(frozen=True, kw_only=True)
class Workload:
    """A problem, how to step it, and how large a full measurement is."""

    name: str
    equation: Any
    method: Any
    dt: float
    n: int
    steps: int
    corrector: TrainedCorrector | None = None

    @property
    def control(self) -> FixedStep:
        return FixedStep(self.dt)

    def problem(self, *, n: int | None = None, steps: int | None = None, save_every: int = SAVE_EVERY) -> Problem:
        """The problem with another batch or fewer steps (a multiple of ``save_every``)."""
        count = (self.steps if steps is None else steps) // save_every
        t_save = self.equation.t0 + self.dt * save_every * np.arange(count + 1)
        return Problem(
            equation=self.equation, u0=self.equation.initial_states(0, self.n if n is None else n), t_save=t_save
        )


@lru_cache
def registry() -> Registry:
    return build_registry()


def workload(name: str) -> Workload:
    """A workload by its name in the table above."""
    size: dict[str, tuple[str, dict[str, Any], int, float, int]] = {
        "W1": ("elastic-pendulum", {}, 1000, 0.01, 5000),
        "W2": ("henon-heiles", {}, 1000, 0.01, 5000),
        "W3": ("spring-chain", {}, 1000, 0.01, 2000),
        "W4": ("lorenz-63", {}, 1, 0.01, 200_000),
        "W5k2": ("k-link-pendulum", {"K": 2}, 200, 0.005, 2000),
        "W5k4": ("k-link-pendulum", {"K": 4}, 200, 0.005, 2000),
        "W6el": ("elastic-pendulum", {}, 1000, 0.1, 500),
        "W6sp": ("spring-chain", {}, 1000, 0.1, 200),
    }
    if name not in size:
        raise UnknownNameError("workload", name, size)
    equation_name, params, n, dt, steps = size[name]
    equation = registry().equation(equation_name, **params)
    corrector = wide_corrector(equation) if name.startswith("W6") else None
    return Workload(
        name=name, equation=equation, method=registry().method("rk4"), dt=dt, n=n, steps=steps, corrector=corrector
    )


def wide_corrector(equation: Any, width: int = WIDTH) -> TrainedCorrector:
    """One hidden layer of rational units on the state, with small random weights: what NeurVec evaluates."""
    rng, dim = np.random.default_rng(5), equation.dim
    states = equation.initial_states(0, 1000)
    layer = Layer(
        weight=rng.normal(size=(width, dim)) / np.sqrt(dim),
        bias=0.1 * rng.normal(size=width),
        activation="rational",
        shape=RATIONAL,
    )
    return TrainedCorrector(
        input="u",
        mean=states.mean(axis=1),
        scale=1 + states.std(axis=1),
        layers=(layer,),
        linear=False,
        offset=1e-4 * rng.normal(size=(1 + width, dim)) / np.sqrt(width),
    )


def plain(equation: Any, width: int) -> TrainedCorrector:
    """A hidden layer of sine units on the state with a linear part: the usual size of a good fit."""
    rng, dim = np.random.default_rng(6), equation.dim
    states = equation.initial_states(0, 1000)
    layer = Layer(
        weight=rng.normal(size=(width, dim)) / np.sqrt(dim),
        bias=rng.uniform(-np.pi, np.pi, width),
        activation="sine",
        shape=np.zeros(0),
    )
    return TrainedCorrector(
        input="u",
        mean=states.mean(axis=1),
        scale=1 + states.std(axis=1),
        layers=(layer,),
        offset=1e-6 * rng.normal(size=(1 + dim + width, dim)),
    )


def attention(equation: Any, width: int) -> TrainedCorrector:
    """The same features, weighing the four stages of RK4 per component besides the offset."""
    base, rng = plain(equation, width), np.random.default_rng(7)
    weights = 1e-6 * rng.normal(size=(base.n_features, 4, equation.dim))
    return replace(base, weights=weights, values=np.eye(4))
