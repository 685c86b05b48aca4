"""jax and diffrax on the workloads: a jitted ``lax.scan`` over RK4 steps, and ``diffeqsolve``."""

from collections.abc import Callable
from typing import Any

import numpy as np
from workloads import Workload

from attns_core import Problem
from attns_core.parameters import ParamView
from attns_core.trained_corrector import TrainedCorrector


def available(platform: str) -> str | None:
    """None if jax sees a device of this platform (``cpu`` or ``gpu``), else why not."""
    try:
        import jax
    except ModuleNotFoundError:
        return "jax is not installed"
    try:
        jax.devices(platform)
    except RuntimeError:
        return f"jax sees no {platform}"
    jax.config.update("jax_enable_x64", True)
    # A GPU would multiply float32 matrices with ten bits of mantissa: another accuracy than ours.
    jax.config.update("jax_default_matmul_precision", "highest")
    return None


def with_scan(load: Workload, problem: Problem, dtype: str, platform: str) -> Callable[[], Any]:
    """One jitted scan over saved times, with a scan over the steps between them inside."""
    import jax
    import jax.numpy as jnp

    f, dt, saves = right_hand_side(load, dtype), load.dt, problem.t_save.size - 1
    inner = int(problem.steps_per_save(load.control)[0])
    term = None if load.corrector is None else corrector(load.corrector, dtype)

    def step(u: Any, _: Any) -> Any:
        k1 = f(u)
        k2 = f(u + dt / 2 * k1)
        k3 = f(u + dt / 2 * k2)
        k4 = f(u + dt * k3)
        new = u + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return (new if term is None else new + term(u)), None

    def save(u: Any, _: Any) -> Any:
        u, _ = jax.lax.scan(step, u, None, length=inner)
        return u, u

    device = jax.devices(platform)[0]
    u0 = jax.device_put(jnp.asarray(problem.u0, dtype=dtype), device)
    run = jax.jit(lambda u: jax.lax.scan(save, u, None, length=saves)[1])
    return lambda: run(u0).block_until_ready()


def with_diffrax(load: Workload, problem: Problem, dtype: str, platform: str) -> Callable[[], Any]:
    """``diffeqsolve`` with constant steps; its tableaus lack the classical RK4, so it is given one."""
    import diffrax
    import jax
    import jax.numpy as jnp

    f = right_hand_side(load, dtype)

    class RK4(diffrax.AbstractERK):
        tableau = diffrax.ButcherTableau(
            c=np.array([1 / 2, 1 / 2, 1.0]),
            b_sol=np.array([1 / 6, 1 / 3, 1 / 3, 1 / 6]),
            b_error=np.zeros(4),
            a_lower=(np.array([1 / 2]), np.array([0.0, 1 / 2]), np.array([0.0, 0.0, 1.0])),
        )
        interpolation_cls = diffrax.ThirdOrderHermitePolynomialInterpolation.from_k

        def order(self, terms: Any) -> int:
            return 4

    steps = int(problem.steps_per_save(load.control).sum())
    device = jax.devices(platform)[0]
    u0 = jax.device_put(jnp.asarray(problem.u0, dtype=dtype), device)
    times = jax.device_put(jnp.asarray(problem.t_save[1:], dtype=dtype), device)

    def solve(u: Any) -> Any:
        return diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, u, args: f(u)),
            RK4(),
            t0=problem.t0,
            t1=problem.t_end,
            dt0=load.dt,
            y0=u,
            saveat=diffrax.SaveAt(ts=times),
            stepsize_controller=diffrax.ConstantStepSize(),
            max_steps=steps + 2,
        ).ys

    run = jax.jit(solve)
    return lambda: run(u0).block_until_ready()


def right_hand_side(load: Workload, dtype: str) -> Callable[[Any], Any]:
    """The autonomous right-hand side on ``(dim, n)``: array form where the equation has one."""
    import jax.numpy as jnp

    if load.equation.array_rhs is None:
        f = load.problem(n=1, steps=10).rhs("jax")
        return lambda u: f(0.0, u)
    values = {k: jnp.asarray(v, dtype=dtype) if isinstance(v, tuple) else v for k, v in load.equation.p.items()}
    p = ParamView(values)
    return lambda u: load.equation.array_rhs(0.0, u, p, jnp)


def corrector(trained: TrainedCorrector, dtype: str) -> Callable[[Any], Any]:
    """The workloads' corrector: one rational layer on the state, offsets only."""
    import jax.numpy as jnp

    (layer,) = trained.layers
    assert trained.offset is not None
    weight, bias, mean, scale, constant, out = (
        jnp.asarray(a, dtype=dtype)
        for a in (
            layer.weight,
            layer.bias[:, None],
            trained.mean[:, None],
            trained.scale[:, None],
            trained.offset[0][:, None],
            trained.offset[1:].T,
        )
    )
    a0, a1, a2, a3, b0, b1, b2 = (float(v) for v in layer.shape)

    def term(u: Any) -> Any:
        z = weight @ ((u - mean) / scale) + bias
        hidden = (a0 + z * (a1 + z * (a2 + z * a3))) / (b0 + z * (b1 + z * b2))
        return constant + out @ hidden

    return term
