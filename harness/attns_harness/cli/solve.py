"""Solve one problem once: print counters, errors and time, and plot it."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from attns_core.errors import AttnsError
from attns_harness.cli._session import Session, console, print_json


@click.command("solve")
@click.argument("equation")
@click.option("--solver", "solver_name", default="rk4", show_default=True, help="Method or black-box solver.")
@click.option("--dt", type=float, help="Fixed step.")
@click.option("--rtol", type=float, help="Relative tolerance of adaptive steps.")
@click.option("--backend", default="numba", show_default=True)
@click.option("--dtype", type=click.Choice(["float64", "float32"]), default="float64", show_default=True)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Override a parameter; repeatable.")
@click.option("--t-end", type=float, help="End of the time span [default: the equation's].")
@click.option("--save-every", type=float, help="Distance of saved times [default: the equation's coarsest step].")
@click.option("--trajectories", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--weights", type=click.Path(path_type=Path), help="Folder of trained weights.")
@click.option("--reference/--no-reference", default=True, help="Compare with the reference solution.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write a plot (SVG, PDF or PNG).")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_obj
def command(
    session: Session,
    equation: str,
    solver_name: str,
    dt: float | None,
    rtol: float | None,
    backend: str,
    dtype: str,
    params: tuple[str, ...],
    t_end: float | None,
    save_every: float | None,
    trajectories: int,
    seed: int,
    weights: Path | None,
    reference: bool,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Solve one problem once: print counters, errors and time, and plot it.

    \b
    Example:
      attns solve henon-heiles --solver rk4 --dt 0.125 --plot orbit.svg
    """
    from attns_core.control import Adaptive, FixedStep, StepControl
    from attns_core.problem import Problem
    from attns_harness.worker import check_solution

    registry = session.registry
    found = registry.equation(equation, **parameters(params))
    control: StepControl
    if rtol is not None:
        if dt is not None:
            raise AttnsError("give either --dt (fixed steps) or --rtol (adaptive steps), not both")
        control = Adaptive(rtol=rtol, atol=rtol)
    else:
        control = FixedStep(found.dts[0] if dt is None else dt)
    problem = Problem.sample(found, n=trajectories, seed=seed, t_end=t_end, save_every=save_every)
    solver = registry.solver(solver_name, backend=backend, dtype=dtype)
    if solver.trainable:
        raise AttnsError(f"{solver_name} has to learn before it solves: run it in a matrix with train_trajectories")
    trained = None
    if weights is not None:
        trained = _weights(weights, solver, found, dt)
        solver = replace(solver, corrector=trained.corrector)
    reason = solver.supports(problem, control)
    if reason is not None:
        raise AttnsError(f"{solver_name} on {equation}: {reason}")
    started = time.perf_counter()
    prepared = solver.prepare(problem, control)
    solution = prepared()
    first = time.perf_counter() - started
    check_solution(solution, problem)
    started = time.perf_counter()
    solution = prepared()
    again = time.perf_counter() - started
    facts: dict[str, Any] = {
        "equation": found.label,
        "solver": solver.name,
        "control": control.label(),
        "trajectories": trajectories,
        "t_end": problem.t_end,
        "first_call_s": first,
        "time_s": again,
    }
    facts |= {} if trained is None else _use(trained, problem, solver, solution)
    trusted = None
    if reference:
        from attns_core.reference import make_reference

        trusted = make_reference(problem)
        facts |= _measured(problem, solution, trusted, registry)
    if plot is not None:
        _plot(problem, solution, trusted, plot, f"{found.title}: {solver.name}, {control.label()}")
        facts["plot"] = str(plot)
    if as_json:
        print_json(facts)
        return
    out = console()
    width = max(map(len, facts))
    for name, value in facts.items():
        if value is not None:
            out.print(f"{name:{width}s}  {_shown(value)}", markup=False, soft_wrap=True)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        first = ", ".join(map(str, value[:12]))
        return f"{len(value)} trajectories{': ' if value else ''}{first}{', ...' if len(value) > 12 else ''}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def parameters(texts: tuple[str, ...]) -> dict[str, Any]:
    """``("g=9.81", "n=4")`` -> values, whole numbers as int.

    Raises
    ------
    AttnsError
        For what is not ``NAME=NUMBER``.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        try:
            values[name] = int(value) if value.lstrip("+-").isdigit() else float(value)
        except ValueError:
            sign = ""
        if not sign:
            raise AttnsError(f"--param takes NAME=NUMBER, got {text!r}")
    return values


def _weights(folder: Path, solver: Any, equation: Any, dt: float | None) -> Any:
    """Weights for a solver, checked against what they are wanted for."""
    from attns_core.solver import OneStepSolver
    from attns_core.weights import load_weights

    if not isinstance(solver, OneStepSolver):
        raise AttnsError(f"--weights correct a method; {solver.name!r} is a black box")
    return load_weights(folder, equation=equation, method=solver.method, dt=equation.dts[0] if dt is None else dt)


def _use(trained: Any, problem: Any, solver: Any, solution: Any) -> dict[str, Any]:
    """What the weights say about themselves, and which trajectories leave the region they were trained in."""
    from attns_core.diagnostics import trajectories_out_of_range

    outside = trajectories_out_of_range(trained.metadata, problem, solver.method, solution.u)
    slopes = trained.metadata["lipschitz"]
    return {
        "gated": trained.metadata["gated"],
        slopes["symbol"]: slopes["sampled"],
        "outside_training": [int(i) for i in outside.nonzero()[0]],
    }


def _measured(problem: Any, solution: Any, reference: Any, registry: Any) -> dict[str, Any]:
    from attns_harness.measure import measure

    outcome = measure(problem, solution, reference, registry.all("metric"))
    return {"state": outcome.state, **outcome.columns}


def _plot(problem: Any, solution: Any, reference: Any, path: Path, title: str) -> None:
    from attns_harness.reports.solution_figure import solution_figure

    try:
        solution_figure(problem, solution, title, reference=reference).savefig(path)
    except (OSError, ValueError) as error:
        raise AttnsError(f"cannot write plot {str(path)!r}: {error}") from None
