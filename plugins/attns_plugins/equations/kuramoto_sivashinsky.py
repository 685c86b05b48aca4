"""Kuramoto-Sivashinsky equation on a periodic grid."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Invariant, Params
from attns_core.types import Array


def components(p: Params) -> tuple[str, ...]:
    return tuple(f"u_{i + 1}" for i in range(p.n))


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    n = p.n
    h = p.length / n
    advect, second, fourth = 1.0 / (6.0 * h), 1.0 / h**2, 1.0 / h**4
    slopes = []
    for i in range(n):
        far_left, left, here, right, far_right = u[i - 2], u[i - 1], u[i], u[(i + 1) % n], u[(i + 2) % n]
        flux = (right - left) * (right + here + left)
        bending = far_left - 4.0 * left + 6.0 * here - 4.0 * right + far_right
        slopes.append(-advect * flux - second * (right - 2.0 * here + left) - fourth * bending)
    return tuple(slopes)


def array_rhs(t: Any, u: Any, p: Any, xp: Any) -> Any:
    h = p.length / p.n
    left, right = xp.roll(u, 1, 0), xp.roll(u, -1, 0)
    bending = xp.roll(u, 2, 0) - 4.0 * left + 6.0 * u - 4.0 * right + xp.roll(u, -2, 0)
    flux = (right - left) * (right + u + left)
    return -flux / (6.0 * h) - (right - 2.0 * u + left) / h**2 - bending / h**4


def mean(t: Any, u: Any, p: Any, m: Any) -> Any:
    return sum(u[i] for i in range(p.n)) / p.n


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """Sums of the first four Fourier modes with random phases and no mean."""
    x = 2.0 * np.pi * np.arange(p.n)[:, None] / p.n
    amplitude, phase = rng.normal(0.0, 0.8, (4, n)), rng.uniform(0.0, 2.0 * np.pi, (4, n))
    return sum((amplitude[k] * np.sin((k + 1) * x + phase[k]) for k in range(4)), np.zeros((p.n, n)))


KURAMOTO_SIVASHINSKY = Equation(
    name="kuramoto-sivashinsky",
    title="Kuramoto-Sivashinsky equation",
    description=(
        "Flame fronts: long waves grow, short ones are damped by a fourth derivative, advection passes energy between "
        "them. On a domain of length 22 the motion is chaotic; the fourth derivative makes it stiff, so that explicit "
        "methods need steps of two thousandths. Its linear part is constant: exponential integrators take it exactly."
    ),
    rhs=rhs,
    array_rhs=array_rhs,
    components=components,
    sample=sample,
    params={"n": 64, "length": 22.0},
    least={"n": 5},
    invariants=(Invariant("mean", mean),),
    t_end=10.0,
    dts=(0.5, 0.25, 0.125, 0.0625),
    lyapunov=0.05,
    tags=frozenset({"chaotic", "stiff", "polynomial", "grid", "semilinear", "fluid"}),
    latex=(
        r"\dot{u}_i &= -(u_{i+1} - u_{i-1})(u_{i+1} + u_i + u_{i-1}) / (6 h)"
        r" - (u_{i+1} - 2 u_i + u_{i-1}) / h^2",
        r"&\quad - (u_{i-2} - 4 u_{i-1} + 6 u_i - 4 u_{i+1} + u_{i+2}) / h^4",
        r"h &= L / n",
    ),
    citation=Citation(
        key="cvitanovic2010",
        authors="P. Cvitanović, R. L. Davidchack, E. Siminos",
        title="On the state space geometry of the Kuramoto-Sivashinsky flow in a periodic domain",
        where="SIAM Journal on Applied Dynamical Systems 9, 1-33",
        year=2010,
        doi="10.1137/070705623",
    ),
)
