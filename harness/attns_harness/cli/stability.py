"""Measure the stability of a one-step solver, and its largest stable step on an equation."""

from typing import Any

import click

from attns_harness.cli._session import Session, print_json


@click.command("stability")
@click.argument("solver")
@click.option("--equation", help="Find the largest stable step on this equation too.")
@click.option("--backend", default="numpy", show_default=True)
@click.option("--trajectories", type=click.IntRange(min=1), default=8, show_default=True, help="For --equation.")
@click.option("--t-end", type=float, help="For --equation [default: the equation's].")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_obj
def command(
    session: Session,
    solver: str,
    equation: str | None,
    backend: str,
    trajectories: int,
    t_end: float | None,
    as_json: bool,
) -> None:
    """Measure the stability of a one-step solver, and its largest stable step on an equation.

    Asks the solver, whatever it is, for single steps on u' = z u; intervals are lengths of the stable
    parts of the negative real and of the imaginary axis.

    \b
    Example:
      attns stability rk4 --equation spring-chain
    """
    from attns_harness.analysis import imaginary_interval, real_interval

    registry = session.registry
    found = registry.solver(solver, backend=backend)
    result: dict[str, Any] = {
        "solver": solver,
        "real_interval": _finite(real_interval(found)),
        "imaginary_interval": _finite(imaginary_interval(found)),
    }
    if equation is not None:
        largest = _largest(registry, found, equation, trajectories, t_end)
        result |= {"equation": equation, "largest_stable_step": largest}
    if as_json:
        print_json(result)
        return
    for name, value in result.items():
        shown = "unbounded" if value is None and "interval" in name else value
        click.echo(f"{name.replace('_', ' ')}: {f'{shown:.4f}' if isinstance(shown, float) else shown}")


def _finite(value: float) -> float | None:
    return value if value < float("inf") else None


def _largest(registry: Any, solver: Any, name: str, trajectories: int, t_end: float | None) -> float | None:
    from attns_core.problem import Problem
    from attns_core.reference import make_reference
    from attns_harness.analysis import largest_stable_step

    problem = Problem.sample(registry.equation(name), n=trajectories, t_end=t_end)
    return largest_stable_step(problem, solver, make_reference(problem))
