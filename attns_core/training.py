"""Training: one call from equation, method, corrector and recipe to weights with their history."""

import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from attns_core.correction import correction
from attns_core.corrector import Corrector
from attns_core.corrector_sequence import Correction
from attns_core.dataset import Dataset, dataset_id, make_dataset
from attns_core.diagnostics import input_range, lipschitz, sampled_pairs, term_jacobian
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.fitting.heads import limit
from attns_core.identity import canonical
from attns_core.method import AbstractMethod
from attns_core.recipe import AbstractRecipe, Fit, Progress
from attns_core.trained_corrector import TrainedCorrector
from attns_core.version import __version__

_FORMAT = 1


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """Weights and where they came from.

    Parameters
    ----------
    corrector : TrainedCorrector or CorrectorSequence
        Not ``active`` when the gate is closed: the held-out one-step error was not below the bare
        method's (:func:`gate_threshold`), and the corrected step is the bare one.
    metadata : dict
        JSON values: equation and parameters, method, dt, dim, corrector, recipe, dataset, seed,
        ``held_out_relative_error``, ``gated``, ``train_seconds``, ``data_seconds``, ``curve``,
        ``chosen``, ``input_range``, ``lipschitz``, versions.
    """

    corrector: Correction
    metadata: dict[str, Any]


def training_identity(
    equation: Equation,
    method: AbstractMethod,
    corrector: Corrector,
    recipe: AbstractRecipe,
    *,
    dt: float,
    trajectories: int,
    t_end: float | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything that decides the weights, as JSON values: the address of a shared artefact."""
    dataset = dataset_id(equation, method, dt, trajectories=trajectories, t_end=t_end, noise=noise, seed=seed)
    return canonical(
        {
            "training_format": _FORMAT,
            **equation.identity(),
            "method": method.identity(),
            "dt": float(dt),
            "corrector": corrector.identity(),
            "recipe": recipe.identity(),
            "dataset": dataset,
            "seed": int(seed),
        }
    )


def train(
    equation: Equation,
    method: AbstractMethod,
    corrector: Corrector,
    recipe: AbstractRecipe,
    *,
    dt: float,
    trajectories: int,
    t_end: float | None = None,
    noise: float = 0.0,
    seed: int = 0,
    dataset: Dataset | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train a corrector for one equation, method and step.

    Parameters
    ----------
    trajectories : int
        Training trajectories, held-out ones included.
    t_end, noise, seed
        See :func:`attns_core.dataset.make_dataset`; ``seed`` also drives the recipe.
    dataset : Dataset, optional
        Train on this instead; it must be of the same equation, method and step.
    cache : Path, optional
        Folder where datasets are kept.

    Raises
    ------
    AttnsError
        If the dataset is another problem's, or cannot support the fit.
    """
    if dataset is None:
        dataset = make_dataset(
            equation, method, dt, trajectories=trajectories, t_end=t_end, noise=noise, seed=seed, cache=cache
        )
    else:
        _same_problem(dataset, equation, method, dt)
    fit, trained, error = fitted(corrector, recipe, dataset, seed=seed, progress=progress)
    metadata: dict[str, Any] = {
        **origin(equation, method, corrector, recipe, seed=seed),
        "dt": float(dt),
        "dataset": dataset.id,
        "trajectories": dataset.trajectories,
        "pairs": dataset.n,
        "noise": float(dataset.noise),
        "input": trained.input,
        "chosen": canonical(fit.chosen),
        "held_out_relative_error": error,
        "gated": not trained.active,
        "gate_threshold": gate_threshold(dataset),
        "train_seconds": float(fit.seconds),
        "data_seconds": float(dataset.seconds),
        "weights": trained.n_weights,
        "operations": trained.operations,
        "curve": [[float(v) if np.isfinite(v) else None for v in point] for point in fit.curve],
        "input_range": [side.tolist() for side in input_range(dataset.inputs(trained.input))],
        "lipschitz": lipschitz(trained, dataset),
    }
    return Trained(corrector=trained, metadata=metadata)


def fitted(
    corrector: Corrector, recipe: AbstractRecipe, dataset: Dataset, *, seed: int, progress: Progress | None = None
) -> tuple[Fit, TrainedCorrector, float]:
    """A recipe's fit, the corrector with its limits and its gate in force, and its relative held-out error.

    Raises
    ------
    AttnsError
        If the method leaves no residual, or the data cannot support the fit.
    """
    if not np.any(dataset.r):
        raise AttnsError(
            f"{dataset.method.name} leaves no residual on {dataset.equation.name} at dt={dataset.dt:g}: there is "
            "nothing to learn; choose a larger dt or no corrector"
        )
    fit = limited(recipe.fit(corrector, dataset, seed=seed, progress=progress), corrector, dataset)
    error = held_out_error(fit, dataset)
    return fit, replace(fit.trained, active=error < gate_threshold(dataset)), error


def origin(
    equation: Equation, method: AbstractMethod, corrector: Corrector, recipe: AbstractRecipe, *, seed: int
) -> dict[str, Any]:
    """What weights belong to and how they came about, as JSON values."""
    return {
        "equation": equation.name,
        "params": {key: list(v) if isinstance(v, tuple) else v for key, v in equation.p.items()},
        "rhs": equation.identity()["rhs"],
        "method": method.name,
        "method_identity": method.identity(),
        "dim": equation.dim,
        "corrector": canonical(corrector.identity()),
        "recipe": canonical(recipe.identity()),
        "seed": int(seed),
        "versions": {"attns": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }


def limited(fit: Fit, corrector: Corrector, dataset: Dataset) -> Fit:
    """The fit with the corrector's bound, clip, input limits and Lipschitz cap in force.

    Bound and clip are multiples of the largest training residual. The cap holds for the sampled
    Lipschitz constant of the term in standardised inputs and in units of the components' spread; a
    term above it is scaled down, and its held-out error measured anew.
    """
    trained, held_out = fit.trained, fit.held_out
    if corrector.lipschitz is not None:
        jacobian = term_jacobian(trained, sampled_pairs(dataset))
        jacobian = jacobian * trained.scale / dataset.scale[:, None]
        largest = float(np.linalg.norm(jacobian, ord=2, axis=(1, 2)).max())
        if largest > corrector.lipschitz:
            factor = corrector.lipschitz / largest
            trained = replace(
                trained,
                offset=None if trained.offset is None else trained.offset * factor,
                weights=None if trained.weights is None else trained.weights * factor,
            )
            held_out = None
    if corrector.bound is not None:
        trained = replace(trained, bound=limit(corrector.bound, dataset))
    if corrector.clip is not None:
        trained = replace(trained, clip=limit(corrector.clip, dataset))
    if corrector.margin is not None:
        least, most = input_range(dataset.inputs(trained.input))
        slack = corrector.margin * (most - least)
        trained = replace(trained, lower=least - slack, upper=most + slack)
    return replace(fit, trained=trained, held_out=held_out)


def gate_threshold(dataset: Dataset) -> float:
    """Relative held-out error at which the gate closes: 1, and less where the states carry noise.

    On noisy pairs a term that does nothing but draw states towards their mean lowers the held-out
    error: of a component with noise variance ``s^2`` and observed variance ``v`` by ``s^4 / v``. Such a
    term is harmful in a rollout, so a gain must be ten times that to count (a rule of thumb).
    """
    if dataset.noise == 0:
        return 1.0
    bare = float(np.mean((dataset.r / dataset.scale[:, None]) ** 2))
    return 1 - 10 * float(np.mean((dataset.noise / dataset.scale) ** 4)) / bare


def held_out_error(fit: Fit, dataset: Dataset) -> float:
    """Relative one-step error of a fit on held-out pairs; infinite where it is not finite."""
    if fit.held_out is not None:
        error = fit.held_out
    else:
        pairs = dataset.take(dataset.held_out)
        with np.errstate(all="ignore"):
            error = pairs.relative_error(correction(fit.trained, pairs.u, pairs.S, pairs.k, pairs.dt, pairs.u0))
    return float(error) if np.isfinite(error) else 1e300


def _same_problem(dataset: Dataset, equation: Equation, method: AbstractMethod, dt: float) -> None:
    from attns_core.weights import differences

    found = {"equation": dataset.equation, "method": dataset.method, "dt": dataset.dt}
    wrong = differences(found, equation=equation, method=method, dt=dt)
    if wrong:
        raise AttnsError("the dataset was made for another problem: " + "; ".join(wrong))
