"""Nine-mode model of a turbulent shear flow."""

from typing import Any

import numpy as np

from attns_core import Citation, Equation, Params
from attns_core.types import Array


def rhs(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    a1, a2, a3, a4, a5, a6, a7, a8, a9 = u
    alpha, beta, gamma, re = 2.0 * m.pi / p.length, m.pi / 2.0, 2.0 * m.pi / p.width, p.reynolds
    ag, bg = m.sqrt(alpha**2 + gamma**2), m.sqrt(beta**2 + gamma**2)
    abg = m.sqrt(alpha**2 + beta**2 + gamma**2)
    s6, s32 = 6.0**0.5, 1.5**0.5
    # Products of wave numbers over norms, as they stand in equations (21) to (29) of the source.
    c1, c2, c3 = s32 * beta * gamma / abg, s32 * beta * gamma / bg, alpha / s6
    c4, c5 = alpha * beta * gamma / (s6 * ag * abg), alpha * beta * gamma / (s6 * ag * bg)
    c6 = 1.0 / (s6 * ag * bg * abg)
    d1, d2 = beta**2 / re, (4.0 * beta**2 / 3.0 + gamma**2) / re
    d3, d4 = (beta**2 + gamma**2) / re, (3.0 * alpha**2 + 4.0 * beta**2) / (3.0 * re)
    d5 = (alpha**2 + beta**2) / re
    d6 = (3.0 * alpha**2 + 4.0 * beta**2 + 3.0 * gamma**2) / (3.0 * re)
    d7 = (alpha**2 + beta**2 + gamma**2) / re
    mean = a1 + a9
    return (
        d1 * (1.0 - a1) - c1 * a6 * a8 + c2 * a2 * a3,
        -d2 * a2
        + 10.0 / (3.0 * s6) * gamma**2 / ag * a4 * a6
        - gamma**2 / (s6 * ag) * a5 * a7
        - c4 * a5 * a8
        - c2 * mean * a3,
        -d3 * a3
        + 2.0 * c5 * (a4 * a7 + a5 * a6)
        + (beta**2 * (3.0 * alpha**2 + gamma**2) - 3.0 * gamma**2 * (alpha**2 + gamma**2)) * c6 * a4 * a8,
        -d4 * a4
        - c3 * mean * a5
        - 10.0 / (3.0 * s6) * alpha**2 / ag * a2 * a6
        - 3.0 * c5 * a3 * a7
        - 3.0 * alpha**2 * beta**2 * c6 * a3 * a8,
        -d5 * a5 + c3 * mean * a4 + alpha**2 / (s6 * ag) * a2 * a7 - c4 * a2 * a8 + 2.0 * c5 * a3 * a6,
        -d6 * a6
        + c3 * mean * a7
        + c1 * mean * a8
        + 10.0 / (3.0 * s6) * (alpha**2 - gamma**2) / ag * a2 * a4
        - 4.0 * c5 * a3 * a5,
        -d7 * a7 - c3 * mean * a6 + (gamma**2 - alpha**2) / (s6 * ag) * a2 * a5 + c5 * a3 * a4,
        -d7 * a8 + 2.0 * c4 * a2 * a5 + gamma**2 * (3.0 * alpha**2 - beta**2 + 3.0 * gamma**2) * c6 * a3 * a4,
        -9.0 * d1 * a9 + c2 * a2 * a3 - c1 * a6 * a8,
    )


def sample(p: Params, rng: np.random.Generator, n: int) -> Array:
    """A weakened mean flow with streaks and vortices, all modes disturbed: most become turbulent."""
    base = np.array([1.0, 0.07066, -0.07076, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])[:, None]
    return base + rng.uniform(-0.1, 0.1, (9, n))


NINE_MODE_SHEAR_FLOW = Equation(
    name="nine-mode-shear-flow",
    title="Nine-mode shear flow",
    description=(
        "Amplitudes of nine Fourier modes of a flow between free-slip walls driven by a sinusoidal body force: mean "
        "profile, streaks, vortices and their instabilities regenerate each other. Turbulence is a chaotic transient "
        "of thousands of time units (whose Lyapunov exponent is given), after which the flow falls back to the "
        "laminar state a1 = 1."
    ),
    rhs=rhs,
    components=tuple(f"a_{i + 1}" for i in range(9)),
    sample=sample,
    params={"reynolds": 400.0, "length": 4.0 * np.pi, "width": 2.0 * np.pi},
    t_end=100.0,
    dts=(1.0, 0.5, 0.25, 0.125),
    lyapunov=0.016,
    tags=frozenset({"chaotic", "polynomial", "fluid"}),
    latex=(
        r"\dot{a}_i &= \frac{\beta^2}{Re}\, \delta_{i1} - \frac{d_i}{Re}\, a_i"
        r" + \sum_{j,k} N_{ijk}\, a_j a_k, \quad \sum_{i,j,k} N_{ijk}\, a_i a_j a_k = 0",
        r"\alpha &= 2 \pi / L_x, \quad \beta = \pi / 2, \quad \gamma = 2 \pi / L_z",
    ),
    citation=Citation(
        key="moehlis2004",
        authors="J. Moehlis, H. Faisst, B. Eckhardt",
        title="A low-dimensional model for turbulent shear flows",
        where="New Journal of Physics 6, 56",
        year=2004,
        doi="10.1088/1367-2630/6/1/056",
    ),
)
