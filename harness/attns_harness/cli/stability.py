"""Measure the stability of a one-step solver, and its largest stable step on an equation."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from attns_harness.cli._session import Session, print_json

MEASURED_GRID = 61
"""Points per axis of a region that is measured step by step."""


@click.command("stability")
@click.argument("solver")
@click.option("--equation", help="Find the largest stable step on this equation too.")
@click.option("--backend", default="numpy", show_default=True)
@click.option("--trajectories", type=click.IntRange(min=1), default=8, show_default=True, help="For --equation.")
@click.option("--t-end", type=float, help="For --equation [default: the equation's].")
@click.option("--weights", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Correct the method with these weights, trained on two components.")  # fmt: skip
@click.option("--phases", type=click.IntRange(min=1), help="Initial phases tried [default: 1, 8 with --weights].")
@click.option("--region", type=click.Path(path_type=Path), help="Draw the region (.svg, .png, .pdf) to this file.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_obj
def command(
    session: Session,
    solver: str,
    equation: str | None,
    backend: str,
    trajectories: int,
    t_end: float | None,
    weights: Path | None,
    phases: int | None,
    region: Path | None,
    as_json: bool,
) -> None:
    """Measure the stability of a one-step solver, and its largest stable step on an equation.

    Asks the solver, whatever it is, for single steps on u' = z u; intervals are lengths of the stable
    parts of the negative real and of the imaginary axis. A corrected step need not be linear: the
    largest amplification over several initial phases counts.

    \b
    Examples:
      attns stability rk4 --equation spring-chain
      attns stability euler --weights weights/ --region region.svg
    """
    from attns_harness.analysis import imaginary_interval, real_interval

    registry = session.registry
    found = registry.solver(solver, backend=backend)
    if weights is not None:
        found = _corrected(found, weights)
        phases = phases or 8
    phases = phases or 1
    result: dict[str, Any] = {
        "solver": solver,
        "real_interval": _finite(real_interval(found, phases=phases)),
        "imaginary_interval": _finite(imaginary_interval(found, phases=phases)),
    }
    if equation is not None:
        largest = _largest(registry, found, equation, trajectories, t_end)
        result |= {"equation": equation, "largest_stable_step": largest}
    if region is not None:
        _draw(found, solver, phases, region)
        result["region"] = str(region)
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        shown = "unbounded" if value is None and "interval" in name else value
        click.echo(f"{name.replace('_', ' ')}: {f'{shown:.4f}' if isinstance(shown, float) else shown}")


def _corrected(solver: Any, folder: Path) -> Any:
    from attns_core import AttnsError, OneStepSolver
    from attns_core.trained_corrector import TrainedCorrector
    from attns_core.weights import load_weights

    if not isinstance(solver, OneStepSolver):
        raise AttnsError(f"--weights correct a method; {solver.name!r} is a black box")
    trained = load_weights(folder, method=solver.method)
    if not isinstance(trained.corrector, TrainedCorrector):
        raise AttnsError(f"{folder}: these weights belong to a sequence of steps, and a single step has no place in it")
    if trained.corrector.dim != 2:
        raise AttnsError(
            f"{folder}: weights for {trained.corrector.dim} components take no step on u' = z u, which has two "
            "(real and imaginary part); train on an equation with two, such as dahlquist"
        )
    return replace(solver, corrector=trained.corrector)


def _draw(solver: Any, name: str, phases: int, path: Path) -> None:
    from attns_core import AttnsError
    from attns_harness.analysis import stability_region
    from attns_harness.reports.figures import render
    from attns_harness.reports.stability_figure import stability_figure
    from attns_harness.reports.style import looks

    kind = path.suffix.lstrip(".")
    if kind not in ("svg", "png", "pdf"):
        raise AttnsError(f"--region {path}: draws .svg, .png or .pdf")
    figure = stability_figure(
        {name: lambda z: stability_region(solver, z, phases=phases)}, looks({name}, set()), points=MEASURED_GRID
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render(figure, kind))


def _finite(value: float) -> float | None:
    return value if value < float("inf") else None


def _largest(registry: Any, solver: Any, name: str, trajectories: int, t_end: float | None) -> float | None:
    from attns_core.problem import Problem
    from attns_core.reference import make_reference
    from attns_harness.analysis import largest_stable_step

    problem = Problem.sample(registry.equation(name), n=trajectories, t_end=t_end)
    return largest_stable_step(problem, solver, make_reference(problem))
