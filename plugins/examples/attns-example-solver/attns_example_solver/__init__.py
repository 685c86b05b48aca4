"""Example solver: a black-box solver for AttNS."""

from collections.abc import Sequence
from typing import Any

from attns_core import AbstractSolver, FixedStep, Problem, black_box, hookimpl


@black_box(name="example-solver", control="fixed", tags=("example",))
def example_solver(problem: Problem, control: FixedStep) -> Sequence[Any]:
    """Example solver"""
    # The example is Heun's second-order method; states have the shape (dim, n) for n trajectories.
    f, dt, u = problem.rhs("numpy"), control.dt, problem.u0.copy()
    states = [u]
    for start, count in zip(problem.t_save[:-1], problem.steps_per_save(control), strict=True):
        for i in range(int(count)):
            t = start + i * dt
            k1 = f(t, u)
            k2 = f(t + dt, u + dt * k1)
            u = u + dt / 2 * (k1 + k2)
        states.append(u)
    return states


@hookimpl
def attns_solvers() -> tuple[AbstractSolver, ...]:
    return (example_solver,)
