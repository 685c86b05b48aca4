"""Train a corrector and save its weights."""

import sys
from pathlib import Path
from typing import Any

import click

from attns_core.errors import AttnsError
from attns_harness.cli._session import Session, console, print_json
from attns_harness.cli.solve import parameters


@click.command("train")
@click.argument("equation")
@click.option("--method", default="rk4", show_default=True)
@click.option("--corrector", default="attns", show_default=True)
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="Option of the corrector; repeatable.")
@click.option("--recipe", help="How to train [default: the corrector's; see docs/correctors.md].")
@click.option(
    "--recipe-option",
    "recipe_options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Option of the recipe; several values as 1,2,4.",
)
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="Override a parameter of the equation.")
@click.option("--dt", type=float, help="Step [default: the equation's coarsest].")
@click.option("--trajectories", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--t-end", type=float, help="Length of the training trajectories [default: the equation's].")
@click.option("--fraction", type=float, help="Train on this fraction of the full set instead of --trajectories.")
@click.option("--data", type=click.Path(path_type=Path), help="Train on your own trajectories: .npz, .csv or .parquet.")
@click.option("--noise", type=click.FloatRange(min=0), default=0.0, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--device", help="Where to train: cpu, cuda or cuda:N, for recipes that use torch [default: cpu].")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the weights.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.pass_obj
def command(
    session: Session,
    equation: str,
    method: str,
    corrector: str,
    options: tuple[str, ...],
    recipe: str | None,
    recipe_options: tuple[str, ...],
    params: tuple[str, ...],
    dt: float | None,
    trajectories: int,
    fraction: float | None,
    data: Path | None,
    t_end: float | None,
    noise: float,
    seed: int,
    device: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """Train a corrector and save its weights.

    \b
    Example:
      attns train elastic-pendulum --method rk4 --corrector attns --trajectories 20 --out weights/pendulum
      attns solve elastic-pendulum --solver rk4 --weights weights/pendulum
    """
    from attns_core.dataset import fraction_of_full
    from attns_core.training import train
    from attns_core.trajectories import dataset_from_trajectories, read_trajectories
    from attns_core.weights import save_weights

    registry = session.registry
    found = registry.equation(equation, **parameters(params))
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AttnsError(f"--out {str(out)!r} exists and is not an empty folder; choose another")
    form = registry.corrector(corrector, **values(options))
    chosen = registry.get("recipe", form.default_recipe(found.dim) if recipe is None else recipe)
    if device is not None:
        chosen = chosen.with_options(device=device)
    dataset = None
    if data is not None:
        dataset = dataset_from_trajectories(read_trajectories(data, found), found, registry.method(method), dt=dt)
        dt = dataset.dt
    trained = train(
        found,
        registry.method(method),
        form,
        chosen.with_options(**values(recipe_options)) if recipe_options else chosen,
        dt=found.dts[0] if dt is None else dt,
        trajectories=trajectories if fraction is None else fraction_of_full(fraction),
        dataset=dataset,
        t_end=t_end,
        noise=noise,
        seed=seed,
        progress=show_progress if sys.stderr.isatty() else None,
    )
    save_weights(out, trained)
    keys = ("input", "gated", "held_out_relative_error", "train_seconds", "data_seconds")
    facts = {"weights": str(out), **{k: trained.metadata.get(k) for k in keys}}
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        console().print(f"{name:24s}{shown}", markup=False, soft_wrap=True)
    if trained.metadata.get("gated"):
        console().print("The held-out error is not below the bare method's: the corrector switched itself off.")


def show_progress(fraction: float, text: str) -> None:
    """One line of progress on the terminal, overwritten in place."""
    click.echo(f"\r\033[K{fraction:4.0%}  {text}", err=True, nl=fraction >= 1)


def values(texts: tuple[str, ...]) -> dict[str, Any]:
    """``("width=64", "blocks=1,2", "input=u")`` -> numbers, lists of them and booleans where they read as such."""
    found: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise AttnsError(f"an option is NAME=VALUE, got {text!r}")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    if "," in text:
        several = [_value(part) for part in text.split(",")]
        return several if all(isinstance(v, int | float) for v in several) else text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)
