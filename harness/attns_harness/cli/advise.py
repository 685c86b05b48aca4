"""Advise whether a learned step is worth training for an equation."""

from typing import Any

import click

from attns_harness.cli._session import Session, console, print_json


@click.command("advise")
@click.argument("equation")
@click.option("--error", type=float, default=1e-5, show_default=True, help="Component-scaled RMS error to deliver.")
@click.option("--trajectories", type=float, default=1e6, show_default=True, help="How many are wanted in all.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Override a parameter; repeatable.")
@click.option("--t-end", type=float, help="End of the time span [default: the equation's].")
@click.option("--budget", type=float, default=60.0, show_default=True, help="Seconds after which no method is begun.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_obj
def command(
    session: Session,
    equation: str,
    error: float,
    trajectories: float,
    params: tuple[str, ...],
    t_end: float | None,
    budget: float,
    as_json: bool,
) -> None:
    """Advise whether a learned step is worth training for an equation.

    Measures the strongest classical methods at the error asked for, on this machine, and compares with
    the stored map of regimes. What is estimated is said to be.

    \b
    Example:
      attns advise henon-heiles --error 1e-5 --trajectories 1e6
      attns --plugin my_equation.py advise my-equation --error 1e-3
    """
    from attns_harness.advice import advise, calibrate
    from attns_harness.cli.solve import parameters

    registry = session.registry
    found: Any = registry.equation(equation, **parameters(params))
    calibration = calibrate(found, registry, error=error, t_end=t_end, budget_s=budget)
    advice = advise(found, calibration, trajectories)
    if as_json:
        print_json(advice.to_json())
        return
    out = console()
    for sentence in advice.sentences:
        out.print(sentence, markup=False, soft_wrap=True)
