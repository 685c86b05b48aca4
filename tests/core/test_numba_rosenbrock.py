"""Compiled Rosenbrock steps against the reference, and derivatives of recorded right-hand sides."""

import math
from typing import Any

import numpy as np
import pytest
from attns_plugins.equations.hires import HIRES
from attns_plugins.equations.k_link_pendulum import K_LINK_PENDULUM
from attns_plugins.equations.quadrupole_trap import QUADRUPOLE_TRAP
from attns_plugins.equations.robertson import ROBERTSON
from attns_plugins.equations.van_der_pol_stiff import VAN_DER_POL_STIFF
from attns_plugins.methods.linearly_implicit_euler import LINEARLY_IMPLICIT_EULER
from attns_plugins.methods.rodas4 import RODAS4
from attns_plugins.methods.rodas5p import RODAS5P

from attns_core import Citation, Equation, FixedStep, OneStepSolver, Problem, Rosenbrock, solve
from attns_core.backends.numba_cpu import NumbaBackend
from attns_core.backends.numba_record import recorded
from attns_core.backends.numba_rosenbrock import fixed_step
from attns_core.backends.numpy_reference import NumpyBackend, increment
from attns_core.kernels.derivatives import differentiate
from attns_core.kernels.form import Form
from attns_core.kernels.recorder import record

REFERENCE = NumpyBackend()


def close(problem: Problem, method: Rosenbrock, **control: float) -> None:
    expected = solve(problem, OneStepSolver(method=method, backend=REFERENCE), **control)
    found = solve(problem, OneStepSolver(method=method, backend=NumbaBackend()), **control)
    scale = np.abs(expected.u).max(axis=(0, 2))[:, None]
    assert np.isfinite(found.u).all()
    assert (np.abs(found.u - expected.u) / scale).max() < 1e-11
    np.testing.assert_array_equal(found.nfe, expected.nfe)
    np.testing.assert_array_equal(found.n_rejected, expected.n_rejected)


def test_fixed_steps_with_time_dependent_coefficients() -> None:
    period = QUADRUPOLE_TRAP.dts[-1]
    close(Problem.sample(QUADRUPOLE_TRAP, n=5, t_end=4 * period, save_every=2 * period), RODAS4, dt=period)


def test_fixed_steps_of_the_linearly_implicit_euler_method() -> None:
    close(Problem.sample(ROBERTSON, n=33, t_end=4.0, save_every=2.0), LINEARLY_IMPLICIT_EULER, dt=0.1)


def test_adaptive_steps() -> None:
    close(Problem.sample(VAN_DER_POL_STIFF, n=19), RODAS5P, rtol=1e-6, atol=1e-8)


# What each operation's derivative is held against: differences of the function itself.
def everything(t: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    x, y, z = u
    return (
        m.sin(x * y) + m.tan(z / 2) - m.cos(t * x) + 2.0 * t,
        m.exp(-x) * m.log(y) / m.sqrt(z) + y**3 - 1 / y**2 + x**1.5 + 2.0**z + x**y,
        m.tanh(x) + m.sinh(y) * m.cosh(z) + m.abs(x - y) * m.where(x > y, x * z, -z) + m.sign(z) * p.k * (3.0 - x),
    )


EVERYTHING = Equation(
    name="everything",
    title="Every operation",
    description="A test of derivatives.",
    rhs=everything,
    components=("x", "y", "z"),
    sample=lambda p, rng, n: rng.uniform(0.5, 1.5, (3, n)),
    t_end=1.0,
    dts=(0.1,),
    params={"k": 2.0},
    citation=Citation(key="none", authors="N. N.", title="None", where="Nowhere", year=2000),
)


@pytest.mark.parametrize("equation", [EVERYTHING, HIRES, QUADRUPOLE_TRAP, K_LINK_PENDULUM], ids=lambda e: e.name)
def test_one_step_as_written_is_the_reference_step(equation: Equation) -> None:
    """The emitted statements, run as plain Python; this covers Jacobian, elimination and stages."""
    problem, dt, t = Problem.sample(equation, n=1, seed=3), 0.02, 0.3
    graph = recorded(equation)
    step = fixed_step(RODAS4, graph, Form(exact=True))
    c = graph.evaluate(step.emitter.constants.parameters, problem.equation.p.numeric().tolist())
    names: dict[str, Any] = {"F": float, "dt": dt, "t": t, "c": c, "np": np, "sub": lambda a, b: a - b}
    names["fma"] = lambda a, b, c: a * b + c
    names |= {"math": math} | {f"u{i}": float(x) for i, x in enumerate(problem.u0[:, 0])}
    for line in [
        *step.emitter.constants.literals(),
        *step.emitter.constants.prologue(),
        *step.prologue,
        *step.time,
        *step.lane,
    ]:
        exec(line, names)
    S, k = increment(problem, RODAS4)(t, problem.u0, dt)
    size = np.abs(S).max()
    np.testing.assert_allclose([names[f"S{i}"] for i in range(equation.dim)], S[:, 0], atol=1e-12 * size)
    stages = [[names[name] for name in step.stages[s]] for s in range(RODAS4.stages)]
    np.testing.assert_allclose(stages, k[:, :, 0], atol=1e-11 * np.abs(k).max())


def test_derivatives_keep_sparsity_and_fold_constants() -> None:
    graph = record(lambda t, u, p, m: (-2.0 * u[0] + u[1], -u[1] * p[0]), 2, 1)
    derivatives = differentiate(graph)
    assert set(derivatives.jacobian) == {(0, 0), (0, 1), (1, 1)}
    assert graph.evaluate([derivatives.jacobian[0, 0], derivatives.jacobian[0, 1]], [3.0]) == [-2.0, 1.0]
    assert graph.evaluate([derivatives.jacobian[1, 1]], [3.0]) == [-3.0]
    assert derivatives.time == {}
    before = len(graph.ops)
    assert differentiate(graph) == derivatives
    assert len(graph.ops) == before


def test_large_systems_say_so() -> None:
    large = K_LINK_PENDULUM.with_params(K=8)
    reason = OneStepSolver(method=RODAS4, backend=NumbaBackend()).supports(Problem.sample(large), FixedStep(0.1))
    assert "at most 12 components" in str(reason)
