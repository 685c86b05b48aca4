"""Step sequences: the steps of a solve, known before it begins and shared by the whole ensemble."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from attns_core.control import Adaptive, FixedStep, FrozenSteps, Prescribed, StepsPerSave
from attns_core.errors import AttnsError
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Rosenbrock
from attns_core.problem import Problem
from attns_core.types import Array


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class StepSequence:
    """All steps of a solve.

    Parameters
    ----------
    counts : integer array, shape (n_save - 1,)
        Steps in every saving interval.
    starts, lengths : array, shape (n_steps,)
        Time at the beginning of each step and its length, float64.
    """

    counts: Any
    starts: Array
    lengths: Array

    @property
    def n_steps(self) -> int:
        return self.lengths.size


def step_sequence(problem: Problem, method: AbstractMethod, control: Prescribed) -> StepSequence:
    """The steps that a control prescribes.

    Raises
    ------
    AttnsError
        If a fixed step does not divide a saving interval, or the pilot of frozen steps is lost or its
        method has no error estimate.
    """
    return _frozen(problem, method, control) if isinstance(control, FrozenSteps) else divided(problem, control)


def divided(problem: Problem, control: FixedStep | StepsPerSave) -> StepSequence:
    """The steps of controls that no method is asked for: saving intervals divided evenly.

    Raises
    ------
    AttnsError
        If a fixed step does not divide a saving interval.
    """
    t_save = problem.t_save
    if isinstance(control, FixedStep):
        counts: Any = np.asarray(problem.steps_per_save(control), dtype=np.int64)
        lengths = np.full(int(counts.sum()), control.dt)
    else:
        counts = np.full(t_save.size - 1, control.count, dtype=np.int64)
        lengths = np.repeat(np.diff(t_save) / control.count, control.count)
    offsets = np.concatenate([np.arange(count) for count in counts]) if counts.size else np.zeros(0)
    return StepSequence(counts=counts, starts=np.repeat(t_save[:-1], counts) + offsets * lengths, lengths=lengths)


def why_not_prescribed(problem: Problem, method: AbstractMethod, control: Prescribed) -> str | None:
    """None if a method can take the steps that a control prescribes, else the reason why not."""
    if isinstance(control, FrozenSteps) and not method.is_adaptive:
        return f"{method.name} has no error estimate, which the pilot of frozen steps needs"
    return None


def _frozen(problem: Problem, method: AbstractMethod, control: FrozenSteps) -> StepSequence:
    grid = pilot_times(problem, method, Adaptive(rtol=control.rtol, atol=control.atol))
    starts, lengths, counts = [np.zeros(0)], [np.zeros(0)], []
    for begin, end in zip(problem.t_save, problem.t_save[1:], strict=False):
        inside = grid[(grid > begin) & (grid < end)]
        nodes = np.concatenate([[begin], inside, [end]])
        if control.refine != 1:
            count = max(1, int(np.ceil((nodes.size - 1) * control.refine - 1e-9)))
            nodes = np.interp(np.linspace(0, nodes.size - 1, count + 1), np.arange(nodes.size), nodes)
        starts.append(nodes[:-1])
        lengths.append(np.diff(nodes))
        counts.append(nodes.size - 1)
    return StepSequence(
        counts=np.array(counts, dtype=np.int64), starts=np.concatenate(starts), lengths=np.concatenate(lengths)
    )


def pilot_times(problem: Problem, method: AbstractMethod, control: Adaptive) -> Array:
    """Times at which an adaptive run from the ensemble's median begins a step, shape (n_steps,).

    The median of every component: a start in the midst of the ensemble that hardly depends on its size.

    Raises
    ------
    AttnsError
        If the method has no error estimate or the trajectory is lost.
    """
    from attns_core.backends.numpy_adaptive import integrate, runge_kutta_attempt
    from attns_core.backends.numpy_rosenbrock import rosenbrock_attempt

    sound = problem.u0[:, np.isfinite(problem.u0).all(axis=0)]
    if sound.size == 0:
        raise AttnsError("frozen steps need at least one finite initial state for their pilot")
    pilot = replace(problem, u0=np.median(sound, axis=1, keepdims=True))
    attempt: Callable[..., Any]
    if isinstance(method, ExplicitRungeKutta) and method.is_adaptive:
        attempt, stages, power = runge_kutta_attempt(pilot, method), method.stages, method.error_power
    elif isinstance(method, Rosenbrock) and method.is_adaptive:
        attempt, stages, power = rosenbrock_attempt(pilot, method), method.evaluations, method.error_power
    else:
        raise AttnsError(f"{method.name} has no error estimate, which the pilot of frozen steps needs")
    begun: list[float] = []

    def recorded(t: Array, u: Array, k1: Array, h: Array) -> Any:
        # A rejected attempt is followed by another one from the same time.
        if not begun or begun[-1] != t[0]:
            begun.append(float(t[0]))
        return attempt(t, u, k1, h)

    solution = integrate(pilot, control, np.dtype("float64"), recorded, stages, power)
    if not solution.finite.all():
        raise AttnsError(
            f"{method.name} loses the pilot trajectory of {problem.equation.name} at rtol={control.rtol:g} "
            f"({solution.message}); choose another tolerance or method"
        )
    return np.array(begun)
