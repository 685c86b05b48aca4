"""Other libraries on the workloads, each in the style its documentation calls fast.

Every builder returns a callable that solves once and returns the saved states, ``(n_save, dim, n)``
with or without the initial one (checks count from the end).
"""

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from workloads import SAVE_EVERY, Workload

from attns_core import Problem
from attns_core.maths import heyoka_maths, jax_maths

Run = Callable[[], Any]


def installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def fixed_step_peers(load: Workload, dtype: str) -> dict[str, Callable[[Problem], Run]]:
    """Fixed-step RK4 peers of a workload by name; those not installed are left out."""
    peers: dict[str, Callable[[Problem], Run]] = {}
    if installed("jax"):
        peers["jax scan"] = lambda problem: jax_scan(load, problem, dtype)
    if installed("diffrax") and load.corrector is None and load.n > 1:
        peers["diffrax"] = lambda problem: diffrax_rk4(load, problem, dtype)
    if load.corrector is None and load.n > 1 and load.name in ("W1", "W3"):
        import torch
        from torch_peers import with_torchdiffeq

        kind = getattr(torch, dtype)
        if installed("torchdiffeq"):
            peers["torchdiffeq rk4 (3/8)"] = lambda problem: with_torchdiffeq(load, problem, kind, compiled=False)
    if load.corrector is None:
        peers["numba, plain loop"] = lambda problem: plain_numba(load, problem, dtype)
    return peers


def jax_rhs(load: Workload, dtype: str) -> Callable[[Any, Any], Any]:
    """``f(t, u)`` on component-major states; the chain as whole-array operations."""
    import jax.numpy as jnp

    p = load.equation.p
    if load.equation.name == "spring-chain":
        n, k, m = p.n, jnp.asarray(p.k, dtype)[:, None], jnp.asarray(p.m, dtype)[:, None]

        def chain(t: Any, u: Any) -> Any:
            wall = jnp.zeros_like(u[:1])
            pull = k * (jnp.concatenate([u[n:], wall]) - jnp.concatenate([wall, u[n:]]))
            return jnp.concatenate([pull[1:] - pull[:-1], u[:n] / m])

        return chain
    maths = jax_maths()
    return lambda t, u: jnp.stack([jnp.asarray(v, u.dtype) for v in load.equation.rhs(t, tuple(u), p, maths)])


def _use_double() -> None:
    import jax

    jax.config.update("jax_enable_x64", True)


def jax_scan(load: Workload, problem: Problem, dtype: str) -> Run:
    """``lax.scan`` over steps within ``lax.scan`` over saved times, compiled as one."""
    _use_double()
    import jax
    import jax.numpy as jnp

    f, h = jax_rhs(load, dtype), np.dtype(dtype).type(load.dt)
    term = _jax_term(load, dtype)

    def step(u: Any, _: Any) -> tuple[Any, None]:
        k1 = f(0.0, u)
        k2 = f(0.0, u + h / 2 * k1)
        k3 = f(0.0, u + h / 2 * k2)
        k4 = f(0.0, u + h * k3)
        new = u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return (new if term is None else new + term(u)), None

    def chunk(u: Any, _: Any) -> tuple[Any, Any]:
        u, _ = jax.lax.scan(step, u, None, length=SAVE_EVERY)
        return u, u

    saves = problem.t_save.size - 1
    go = jax.jit(lambda u: jax.lax.scan(chunk, u, None, length=saves)[1])
    u0 = jnp.asarray(problem.u0, dtype)
    return lambda: go(u0).block_until_ready()


def _jax_term(load: Workload, dtype: str) -> Callable[[Any], Any] | None:
    import jax.numpy as jnp

    c = load.corrector
    if c is None:
        return None
    assert c.offset is not None
    (layer,) = c.layers
    # Standardisation is folded into the layer, as one would when deploying it.
    weight = layer.weight / c.scale
    bias = layer.bias - weight @ c.mean
    w, b, v, v0 = (jnp.asarray(x, dtype) for x in (weight, bias[:, None], c.offset[1:].T, c.offset[0][:, None]))
    a0, a1, a2, a3, b0, b1, b2 = (np.dtype(dtype).type(x) for x in layer.shape)

    def term(u: Any) -> Any:
        z = w @ u + b
        return v @ ((a0 + z * (a1 + z * (a2 + z * a3))) / (b0 + z * (b1 + z * b2))) + v0

    return term


def diffrax_rk4(load: Workload, problem: Problem, dtype: str) -> Run:
    """``diffeqsolve`` of the whole batch as one state; the classical tableau has to be given to it."""
    _use_double()
    import diffrax
    import jax
    import jax.numpy as jnp

    class RK4(diffrax.AbstractERK):
        tableau = diffrax.ButcherTableau(
            c=np.array([1 / 2, 1 / 2, 1.0]),
            a_lower=(np.array([1 / 2]), np.array([0, 1 / 2]), np.array([0, 0, 1.0])),
            b_sol=np.array([1 / 6, 1 / 3, 1 / 3, 1 / 6]),
            b_error=np.zeros(4),
        )
        interpolation_cls = diffrax.ThirdOrderHermitePolynomialInterpolation.from_k

        def order(self, terms: Any) -> int:
            return 4

    f, kind = jax_rhs(load, dtype), np.dtype(dtype).type
    steps = round((problem.t_end - problem.t0) / load.dt)
    term = diffrax.ODETerm(lambda t, y, args: f(t, y))
    save = diffrax.SaveAt(ts=jnp.asarray(problem.t_save[1:], dtype))

    @jax.jit
    def go(u: Any) -> Any:
        return diffrax.diffeqsolve(
            term, RK4(), kind(problem.t0), kind(problem.t_end), kind(load.dt), u, saveat=save, max_steps=steps + 10,
            stepsize_controller=diffrax.ConstantStepSize(), adjoint=diffrax.ForwardMode(), throw=False,
        ).ys  # fmt: skip

    u0 = jnp.asarray(problem.u0, dtype)
    return lambda: go(u0).block_until_ready()


def plain_numba(load: Workload, problem: Problem, dtype: str) -> Run:
    """What one writes with numba in ten minutes: a scalar right-hand side, trajectories one by one."""
    import numba

    if load.corrector is not None:
        raise ValueError("the plain loop has no corrector")
    rhs, p = problem.rhs("numba"), problem.equation.p.numeric()
    steps = np.asarray(problem.steps_per_save(load.control))

    @numba.njit(error_model="numpy")
    def go(u0, out, steps, t0, h, p):
        dim, n = u0.shape
        k1, k2, k3 = np.empty(dim, u0.dtype), np.empty(dim, u0.dtype), np.empty(dim, u0.dtype)
        k4, y, u = np.empty(dim, u0.dtype), np.empty(dim, u0.dtype), np.empty(dim, u0.dtype)
        for i in range(n):
            for d in range(dim):
                u[d] = u0[d, i]
                out[0, d, i] = u[d]
            t = t0
            for s in range(steps.size):
                for _ in range(steps[s]):
                    rhs(t, u, k1, p)
                    for d in range(dim):
                        y[d] = u[d] + h / 2 * k1[d]
                    rhs(t + h / 2, y, k2, p)
                    for d in range(dim):
                        y[d] = u[d] + h / 2 * k2[d]
                    rhs(t + h / 2, y, k3, p)
                    for d in range(dim):
                        y[d] = u[d] + h * k3[d]
                    rhs(t + h, y, k4, p)
                    for d in range(dim):
                        u[d] += h / 6 * (k1[d] + 2 * k2[d] + 2 * k3[d] + k4[d])
                    t += h
                for d in range(dim):
                    out[s + 1, d, i] = u[d]

    u0 = problem.u0.astype(dtype)

    def run() -> Any:
        out = np.empty((problem.t_save.size, *u0.shape), dtype)
        go(u0, out, steps, problem.t0, load.dt, p)
        return out

    return run


def adaptive_peers() -> dict[str, Callable[[Problem, float], Run]]:
    """Adaptive solvers: ``(problem, tolerance)`` -> run, for solves of equal delivered error."""
    peers: dict[str, Callable[[Problem, float], Run]] = {}
    if installed("heyoka"):
        peers["heyoka"] = heyoka_taylor
    if installed("numbalsoda"):
        peers["numbalsoda dop853"] = numbalsoda_dop853
    if installed("diffrax"):
        peers["diffrax dopri8"] = lambda problem, tolerance: diffrax_adaptive(problem, tolerance, "Dopri8")
        peers["diffrax tsit5"] = lambda problem, tolerance: diffrax_adaptive(problem, tolerance, "Tsit5")
    return peers


def heyoka_taylor(problem: Problem, tolerance: float) -> Run:
    """Taylor's method in batch mode: as many trajectories at once as a vector register holds."""
    import heyoka as hy

    equation = problem.equation
    variables = hy.make_vars(*(f"u{i}" for i in range(equation.dim)))
    values = equation.rhs(hy.time, tuple(variables), equation.p, heyoka_maths())
    system = [
        (v, hy.expression(float(e)) if isinstance(e, int | float) else e)
        for v, e in zip(variables, values, strict=True)
    ]
    width, n = hy.recommended_simd_size(), problem.n
    integrator = hy.taylor_adaptive_batch(
        system, np.ascontiguousarray(np.resize(problem.u0, (equation.dim, width))), tol=tolerance
    )
    grid = np.ascontiguousarray(np.repeat(problem.t_save[:, None], width, axis=1))

    def run() -> Any:
        out = np.empty((problem.t_save.size, equation.dim, n))
        for first in range(0, n, width):
            lanes = np.minimum(np.arange(first, first + width), n - 1)
            integrator.set_time(problem.t0)
            integrator.state[:] = problem.u0[:, lanes]
            result = integrator.propagate_grid(grid)
            states = result[1] if isinstance(result, tuple) else result
            count = min(width, n - first)
            out[:, :, first : first + count] = states[:, :, :count]
        return out

    return run


def numbalsoda_dop853(problem: Problem, tolerance: float) -> Run:
    """The Fortran DOP853 called from compiled code, trajectory by trajectory."""
    import numba
    from numbalsoda import dop853, lsoda_sig

    rhs, numeric = problem.rhs("numba"), problem.equation.p.numeric()
    dim, count = problem.equation.dim, numeric.size

    @numba.cfunc(lsoda_sig)
    def callback(t, u, du, p):
        rhs(t, numba.carray(u, (dim,)), numba.carray(du, (dim,)), numba.carray(p, (count,)))

    address = callback.address

    @numba.njit
    def go(u0, out, times, p, tolerance):
        for i in range(u0.shape[0]):
            states, _ = dop853(address, u0[i], times, p, rtol=tolerance, atol=tolerance)
            out[i] = states

    u0 = np.ascontiguousarray(problem.u0.T)
    p = numeric if count else np.zeros(1)

    def run() -> Any:
        out = np.empty((problem.n, problem.t_save.size, dim))
        go(u0, out, problem.t_save, p, tolerance)
        return out.transpose(1, 2, 0)

    return run


def diffrax_adaptive(problem: Problem, tolerance: float, solver: str) -> Run:
    """``diffeqsolve`` under ``vmap``: each trajectory has its own steps."""
    _use_double()
    import diffrax
    import jax
    import jax.numpy as jnp

    p, maths = problem.equation.p, jax_maths()
    term = diffrax.ODETerm(lambda t, y, args: jnp.stack(list(problem.equation.rhs(t, tuple(y), p, maths))))
    save, method = diffrax.SaveAt(ts=jnp.asarray(problem.t_save)), getattr(diffrax, solver)()
    control = diffrax.PIDController(rtol=tolerance, atol=tolerance)

    def one(u: Any) -> Any:
        return diffrax.diffeqsolve(
            term, method, problem.t0, problem.t_end, 0.01, u, saveat=save, max_steps=100_000,
            stepsize_controller=control, adjoint=diffrax.ForwardMode(), throw=False,
        ).ys  # fmt: skip

    go = jax.jit(jax.vmap(one, in_axes=1, out_axes=2))
    u0 = jnp.asarray(problem.u0)
    return lambda: go(u0).block_until_ready()
