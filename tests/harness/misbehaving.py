"""A single-file plugin of solvers that do what third-party code does, beside one that is healthy."""

import ctypes
import os
import random
import subprocess
import sys
import time

import numpy as np

from attns_core import AbstractSolver, FixedStep, Problem, Solution, hookimpl
from attns_core.control import StepControl

_leak: list[object] = []


def heun(problem: Problem, control: StepControl) -> Solution:
    """Improved Euler, correct and slow enough to be interrupted."""
    assert isinstance(control, FixedStep)
    u = np.array(problem.u0)
    saved = [u]
    steps = 0
    for i, count in enumerate(problem.steps_per_save(control)):
        for j in range(int(count)):
            t = problem.t_save[i] + j * control.dt
            k = problem.equation.evaluate(t, u)
            u = u + control.dt / 2 * (k + problem.equation.evaluate(t + control.dt, u + control.dt * k))
            steps += 1
        saved.append(u)
    return Solution(t=problem.t_save, u=np.array(saved), n_steps=steps, nfe=2 * steps)


def noisy(problem: Problem, control: StepControl) -> Solution:
    """Depends on the global random state: reproducible only if nobody else's cell leaks into it."""
    solution = heun(problem, control)
    return Solution(
        t=solution.t, u=solution.u * (1 + 1e-6 * np.random.rand() + 1e-6 * random.random()), n_steps=1, nfe=1
    )


def relative(problem: Problem, control: StepControl) -> Solution:
    """Depends on the working directory and the environment being as they were."""
    if os.listdir(".") or "MISBEHAVING" in os.environ:
        raise RuntimeError("somebody was here before")
    return heun(problem, control)


def raises(problem: Problem, control: StepControl) -> Solution:
    raise ValueError("no such luck")


def not_a_number(problem: Problem, control: StepControl) -> Solution:
    solution = heun(problem, control)
    solution.u[1:] = np.nan
    return solution


def wrong_shape(problem: Problem, control: StepControl) -> Solution:
    solution = heun(problem, control)
    return Solution(t=solution.t, u=solution.u[:, :-1], n_steps=1, nfe=1)


def not_a_solution(problem: Problem, control: StepControl) -> Solution:
    return None  # type: ignore[return-value]


def hangs_in_python(problem: Problem, control: StepControl) -> Solution:
    while True:
        time.sleep(0.01)


def hangs_in_native_code(problem: Problem, control: StepControl) -> Solution:
    ctypes.PyDLL(None).sleep(3600)  # keeps the interpreter's lock
    return heun(problem, control)


def segfaults(problem: Problem, control: StepControl) -> Solution:
    ctypes.string_at(0)
    return heun(problem, control)


def exits(problem: Problem, control: StepControl) -> Solution:
    os._exit(7)


def exits_in_peace(problem: Problem, control: StepControl) -> Solution:
    os._exit(0)


def calls_sys_exit(problem: Problem, control: StepControl) -> Solution:
    sys.exit(0)


def leaks(problem: Problem, control: StepControl) -> Solution:
    while True:
        _leak.append(np.empty(2**23))


def keeps_memory(problem: Problem, control: StepControl) -> Solution:
    _leak.append(np.ones(2**25))
    return heun(problem, control)


def prints(problem: Problem, control: StepControl) -> Solution:
    print("\x1b[31mhello from the solver")
    os.write(2, b"and from below\n")
    return heun(problem, control)


def changes_state(problem: Problem, control: StepControl) -> Solution:
    np.random.seed(0)
    random.seed(0)
    np.seterr(all="raise")
    os.makedirs("elsewhere", exist_ok=True)
    os.chdir("/")
    os.environ["MISBEHAVING"] = "1"
    os.environ.pop("PATH", None)
    sys.stdout = None
    return heun(problem, control)


def spawns(problem: Problem, control: StepControl) -> Solution:
    subprocess.Popen(["/bin/sleep", "3599"], start_new_session=True)
    return heun(problem, control)


def spawns_and_dies(problem: Problem, control: StepControl) -> Solution:
    subprocess.Popen(["/bin/sleep", "3599"], start_new_session=True)
    os._exit(3)


HEALTHY = (heun, noisy, relative)
BAD = {
    raises: "error",
    not_a_number: "diverged",
    wrong_shape: "error",
    not_a_solution: "error",
    hangs_in_python: "timeout",
    hangs_in_native_code: "timeout",
    segfaults: "crashed",
    exits: "crashed",
    exits_in_peace: "crashed",
    calls_sys_exit: "error",
    leaks: "oom",
    keeps_memory: "ok",
    prints: "ok",
    changes_state: "ok",
    spawns: "ok",
    spawns_and_dies: "crashed",
}


class Fixed(AbstractSolver):
    """A function as a solver with fixed steps."""

    def __init__(self, function: object) -> None:
        self.function = function
        self.name = function.__name__.replace("_", "-")
        self.tags = frozenset({"test"})

    def supports(self, problem: Problem, control: StepControl) -> str | None:
        return None if isinstance(control, FixedStep) else "fixed steps only"

    def prepare(self, problem: Problem, control: StepControl) -> object:
        return lambda: self.function(problem, control)


@hookimpl
def attns_solvers() -> list[AbstractSolver]:
    return [Fixed(function) for function in (*HEALTHY, *BAD)]
