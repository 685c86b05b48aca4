"""Small problems with known answers that the checks solve."""

from typing import Any

import numpy as np

from attns_core.citation import Citation
from attns_core.equation import Equation, Invariant
from attns_core.parameters import Params
from attns_core.problem import Problem
from attns_core.types import Array

_SOURCE = Citation(
    key="hairer1993",
    authors="E. Hairer, S. P. Norsett and G. Wanner",
    title="Solving Ordinary Differential Equations I",
    where="Springer, Berlin, 2nd edition",
    year=1993,
)


def _curved_rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y = u
    return -2 * p.a * t * x**2, y * m.cos(t)


def _curved_exact(t: float, u0: Array, p: Params) -> Array:
    x, y = u0
    return np.stack([x / (1 + p.a * x * t**2), y * np.exp(np.sin(t))])


def _positive(p: Params, rng: np.random.Generator, n: int) -> Array:
    return rng.uniform(0.5, 1.5, (2, n))


CURVED = Equation(
    name="kit-curved",
    title="Nonlinear, non-autonomous, closed form",
    description="x' = -2 a t x^2, y' = y cos t.",
    rhs=_curved_rhs,
    components=("x", "y"),
    sample=_positive,
    params={"a": 1.0},
    t_end=2.0,
    dts=(0.25, 0.125, 0.0625),
    exact=_curved_exact,
    citation=_SOURCE,
)


def _oscillator_rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    q, v = u
    return v, -(p.omega**2) * q


def _oscillator_exact(t: float, u0: Array, p: Params) -> Array:
    (q, v), w = u0, p.omega
    c, s = np.cos(w * t), np.sin(w * t)
    return np.stack([q * c + v * s / w, v * c - q * w * s])


def _energy(t: Any, u: Any, p: Any, m: Any) -> Any:
    return (u[1] ** 2 + (p.omega * u[0]) ** 2) / 2


def _ones(p: Any, rng: Any, n: int) -> Any:
    return np.ones((2, n))


OSCILLATOR = Equation(
    name="kit-oscillator",
    title="Harmonic oscillator",
    description="Separable and Hamiltonian: for splitting methods.",
    rhs=_oscillator_rhs,
    components=("q", "v"),
    sample=_positive,
    params={"omega": 1.5},
    t_end=2.0,
    dts=(0.25, 0.125, 0.0625),
    exact=_oscillator_exact,
    invariants=(Invariant("energy", _energy),),
    tags=frozenset({"hamiltonian"}),
    citation=_SOURCE,
)


def _blow_up_rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    q, v = u
    return v, p.a * q**3


BLOW_UP = Equation(
    name="kit-blow-up",
    title="Finite-time blow-up",
    description="q'' = 2 q^3 from (1, 1): q = 1 / (1 - t) leaves every bound at t = 1.",
    rhs=_blow_up_rhs,
    components=("q", "v"),
    sample=_ones,
    params={"a": 2.0},
    t_end=2.0,
    dts=(0.25,),
    citation=_SOURCE,
)


def curved(n: int = 3) -> Problem:
    """Three trajectories, saved at nine times."""
    return Problem.sample(CURVED, n=n, seed=11)


def oscillator(n: int = 3) -> Problem:
    return Problem.sample(OSCILLATOR, n=n, seed=11)


def blow_up() -> Problem:
    return Problem.sample(BLOW_UP, n=2)


def exact_states(problem: Problem) -> Array:
    """Closed-form states at the problem's times, shape (n_save, dim, n)."""
    exact = problem.equation.exact
    assert exact is not None
    return np.stack([exact(float(t), problem.u0, problem.equation.p) for t in problem.t_save])
