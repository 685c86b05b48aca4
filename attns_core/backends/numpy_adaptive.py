r"""Adaptive steps: the definition that every backend reproduces step for step.

Each trajectory has its own time ``t``, proposed step ``dt``, first stage ``k1 = f(t, u)`` and last
error ``e_old`` (initially ``least_error``); trajectories do not influence each other. Times and step
lengths are float64 whatever the dtype of the state; constants are those of
:data:`attns_core.step_size.CONTROLLER`, ``q`` is ``method.error_power``.

**Norm.** ``|x| = sqrt(mean_i (x_i / scale_i)^2)`` over components.

**First step** (Hairer, Norsett, Wanner, II.4, with ``scale = atol + rtol |u|``; one evaluation)::

    d0 = |u|; d1 = |k1|; h0 = 0.01 d0 / d1, or 1e-6 if d0 < 1e-5 or d1 < 1e-5
    h0 = min(h0, t_end - t); d2 = |f(t + h0, u + h0 k1) - k1| / h0
    h1 = (0.01 / max(d1, d2))^(1/q), or max(1e-6, 1e-3 h0) if max(d1, d2) <= 1e-15
    dt = min(100 h0, h1)

**One attempt** towards the next saved time ``T``, with ``left = T - t``::

    lands = reach * dt >= left;  h = left if lands else left / 2 if reach * dt >= left / 2 else dt
    stages k1 .. ks; u1 = u + h sum b_i k_i; e = |h sum b_error_i k_i|, scale = atol + rtol max(|u|, |u1|)
    with a second estimate: e = e5^2 / sqrt(e5^2 + 0.01 e3^2)  (0 where both vanish)

**Accepted** (``e <= 1``): with ``factor = safety e^-(1/q - 0.75 beta) e_old^beta``, or
``safety e^-(1/q)`` where ``reach * h < dt``, cut to ``[min_factor, max_factor]`` (``max_factor`` where
``e = 0``), and to at most 1 directly after a rejected attempt::

    proposal = h * factor
    if h < dt / 2: dt = max(dt, proposal)      # far shorter: says nothing against dt
    else:          dt = proposal
    if reach * h >= dt: e_old = max(e, least_error)    # dt as it was before
    t = T if lands else t + h; u = u1; k1 = ks if first same as last else f(t, u1)

``k1`` is not evaluated any more after the last saved time.

**Rejected** (``e > 1`` or not a number): ``dt = h max(min_factor, safety e^(-1/q))``, or ``h min_factor``
where ``e`` is not finite; ``u`` and ``k1`` stay.

**Given up**, with NaN from the next saved time on: after ``max_steps`` attempts; when ``h`` is not at
least ``10 eps max(|t|, |T|)`` before an attempt that does not land; when ``u`` or ``k1`` is not finite.

**Rosenbrock methods** take the same loop; ``e = |sum e_i U_i|``, the Jacobian is that at ``(t, u)``, and
the first stage uses ``k1``.

**Counters.** ``nfe`` counts 2 for the first step, ``s - 1`` for each attempt, and 1 for each accepted step
whose ``k1`` is evaluated anew.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from attns_core.control import Adaptive
from attns_core.equation import evaluate_rhs
from attns_core.errors import AttnsError
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Rosenbrock
from attns_core.problem import Problem
from attns_core.solution import Solution
from attns_core.step_size import CONTROLLER
from attns_core.types import Array

Attempt: TypeAlias = Callable[[Array, Array, Array, Array], tuple[Array, Array, Any, Any]]
"""``(t, u, k1, h)`` -> new state, error estimate, its lower companion or None, last stage or None."""

REASONS = {1: "more than {max_steps} steps", 2: "step size below round-off", 3: "state not finite"}


def solve_adaptive(problem: Problem, method: AbstractMethod, control: Adaptive, dtype: Any) -> Solution:
    """Solve each trajectory with its own steps; the semantics are this module's docstring.

    Raises
    ------
    AttnsError
        If the method has no error estimate.
    """
    if isinstance(method, ExplicitRungeKutta):
        return integrate(
            problem, control, dtype, runge_kutta_attempt(problem, method), method.stages, method.error_power
        )
    if isinstance(method, Rosenbrock):
        from attns_core.backends.numpy_rosenbrock import rosenbrock_attempt

        attempt = rosenbrock_attempt(problem, method)
        return integrate(problem, control, dtype, attempt, method.evaluations, method.error_power)
    raise AttnsError(f"{method.name} has no error estimate; give a fixed dt")


def runge_kutta_attempt(problem: Problem, method: ExplicitRungeKutta) -> Attempt:
    """One step of an embedded pair with its error estimates, for steps ``h`` of shape ``(n,)``."""
    equation, p, tableau = problem.equation, problem.equation.p, method.tableau
    low = method.b_error_low

    def attempt(t: Array, u: Array, k1: Array, h: Array) -> tuple[Array, Array, Any, Any]:
        step = h.astype(u.dtype)
        k = np.zeros((tableau.stages, *u.shape), dtype=u.dtype)
        k[0] = k1
        for i in range(1, tableau.stages):
            inner = sum((tableau.a[i, j] * k[j] for j in range(i) if tableau.a[i, j] != 0), np.zeros_like(u))
            k[i] = evaluate_rhs(equation, t + tableau.c[i] * h, u + step * inner, p)

        def combine(weights: Any) -> Array:
            return step * sum((w * k_i for w, k_i in zip(weights, k, strict=True) if w != 0), np.zeros_like(u))

        return (
            u + combine(tableau.b),
            combine(tableau.b_error),
            None if low is None else combine(low),
            k[-1] if tableau.is_fsal else None,
        )

    return attempt


def integrate(problem: Problem, control: Adaptive, dtype: Any, attempt: Attempt, stages: int, q: int) -> Solution:
    """The loop: attempts of all unfinished trajectories at once, bookkeeping per trajectory."""
    c = CONTROLLER
    proportional, integral = c.exponents(q)
    t_save, n = problem.t_save, problem.n
    f = _Derivative(problem, n)
    with np.errstate(all="ignore"):
        u = problem.u0.astype(dtype)
        saved = np.full((t_save.size, *u.shape), np.nan, dtype=dtype)
        saved[0] = u
        t = np.full(n, t_save[0])
        target = np.ones(n, dtype=np.int64)
        active = np.full(n, t_save.size > 1)
        lost = np.zeros(n, dtype=np.int64)
        steps, rejected, attempts = (np.zeros(n, dtype=np.int64) for _ in range(3))
        after_rejection = np.zeros(n, dtype=bool)
        e_old = np.full(n, c.least_error)
        k1 = f(t, u, active)
        dt = _first_step(f, t, u, k1, control, q, t_save[-1], active)
        while True:
            goal = t_save[np.minimum(target, t_save.size - 1)]
            left = goal - t
            lands = c.reach * dt >= left
            h = np.where(lands, left, np.where(c.reach * dt >= 0.5 * left, 0.5 * left, dt))
            tiny = ~lands & ~(h >= 10 * np.finfo(np.float64).eps * np.maximum(np.abs(t), np.abs(goal)))
            broken = ~(np.isfinite(u).all(axis=0) & np.isfinite(k1).all(axis=0))
            for mask, why in ((attempts >= control.max_steps, 1), (tiny, 2), (broken, 3)):
                lost[active & mask] = why
            active &= lost == 0
            a = np.flatnonzero(active)
            if a.size == 0:
                break
            new, error, low, last = attempt(t[a], u[:, a], k1[:, a], h[a])
            attempts[a] += 1
            f.count[a] += stages - 1
            scale = control.atol + control.rtol * np.maximum(np.abs(u[:, a]), np.abs(new))
            e = _norm(error, scale)
            if low is not None:
                e3 = _norm(low, scale)
                both = np.sqrt(e**2 + 0.01 * e3**2)
                e = np.where(both == 0, 0.0, e * (e / both))
            e[~np.isfinite(new).all(axis=0)] = np.nan
            good = e <= 1
            # Accepted attempts.
            g, eg = a[good], e[good]
            short, far_short = c.reach * h[g] < dt[g], h[g] < 0.5 * dt[g]
            factor = c.safety * np.where(short, eg ** (-1 / q), eg**-proportional * e_old[g] ** integral)
            factor = np.where(eg == 0, c.max_factor, np.clip(factor, c.min_factor, c.max_factor))
            factor = np.where(after_rejection[g], np.minimum(factor, 1.0), factor)
            e_old[g] = np.where(short, e_old[g], np.maximum(eg, c.least_error))
            dt[g] = np.where(far_short, np.maximum(dt[g], h[g] * factor), h[g] * factor)
            t[g] = np.where(lands[g], goal[g], t[g] + h[g])
            u[:, g] = new[:, good]
            steps[g] += 1
            after_rejection[g] = False
            landed = g[lands[g]]
            saved[target[landed], :, landed] = u[:, landed].T
            target[landed] += 1
            active[target >= t_save.size] = False
            if last is None:
                fresh = np.isin(np.arange(n), g) & active
                k1 = np.where(fresh, f(t, u, fresh), k1) if fresh.any() else k1
            else:
                k1[:, g] = last[:, good]
            # Rejected attempts.
            r, er = a[~good], e[~good]
            shrink = np.where(np.isfinite(er), np.maximum(c.min_factor, c.safety * er ** (-1 / q)), c.min_factor)
            dt[r] = h[r] * shrink
            rejected[r] += 1
            after_rejection[r] = True
    return Solution(
        t=t_save, u=saved, n_steps=steps, nfe=f.count, n_rejected=rejected, message=_message(lost, control.max_steps)
    )


class _Derivative:
    """The right-hand side, counting evaluations per trajectory."""

    def __init__(self, problem: Problem, n: int) -> None:
        self.equation, self.p = problem.equation, problem.equation.p
        self.count = np.zeros(n, dtype=np.int64)

    def __call__(self, t: Array, u: Array, which: Any) -> Array:
        self.count += which
        return evaluate_rhs(self.equation, t, u, self.p)


def _norm(x: Array, scale: Array) -> Array:
    """Root mean square over components, shape ``(n,)``, float64."""
    value: Any = np.sqrt(np.mean((x / scale) ** 2, axis=0)).astype(np.float64)
    return value


def _first_step(
    f: _Derivative, t: Array, u: Array, k1: Array, control: Adaptive, q: int, t_end: float, active: Any
) -> Array:
    scale = control.atol + control.rtol * np.abs(u)
    d0, d1 = _norm(u, scale), _norm(k1, scale)
    h0 = np.where((d0 < 1e-5) | (d1 < 1e-5), 1e-6, 0.01 * d0 / d1)
    h0 = np.minimum(h0, t_end - t)
    d2 = _norm(f(t + h0, (u + h0 * k1).astype(u.dtype), active) - k1, scale) / h0
    largest = np.maximum(d1, d2)
    h1 = np.where(largest <= 1e-15, np.maximum(1e-6, 1e-3 * h0), (0.01 / largest) ** (1 / q))
    dt: Any = np.minimum(100 * h0, h1)
    return dt


def _message(lost: Any, max_steps: int) -> str:
    parts = [
        f"{np.count_nonzero(lost == code)} given up: {reason.format(max_steps=max_steps)}"
        for code, reason in REASONS.items()
        if np.any(lost == code)
    ]
    return "; ".join(parts)
