"""What every corrector is held to: it trains, the same way twice, and its weights survive storage."""

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from attns_core.backends.numpy_reference import NumpyBackend
from attns_core.citation import Citation
from attns_core.control import FixedStep
from attns_core.corrector import Corrector
from attns_core.corrector_sequence import Correction
from attns_core.method import ExplicitRungeKutta
from attns_core.solver import OneStepSolver
from attns_core.tableau import ButcherTableau
from attns_core.testing import problems
from attns_core.testing.kit import CheckFailure, CheckSkipped, Context, check, require

_DT = 0.25
_HEUN = ExplicitRungeKutta(
    name="kit-heun",
    title="Heun's method",
    order=2,
    tableau=ButcherTableau(a=[[], [1]], b=[1 / 2, 1 / 2], c=[0, 1]),
    citation=Citation(key="heun1900", authors="K. Heun", title="Methoden", where="Z. Math. Phys. 45", year=1900),
)


@check("corrector")
def check_metadata(corrector: Corrector, context: Context) -> None:
    """Title, description and source are given."""
    for name in ("title", "description"):
        require(getattr(corrector, name).strip(), f"{name} is empty")
    require(corrector.citation.title and corrector.citation.authors, "the citation has no title or no authors")


@check("corrector")
def check_trains(corrector: Corrector, context: Context) -> None:
    """Trained on a harmless problem it is finite, and not worse on held-out data than no corrector."""
    trained = _trained(corrector, context)
    error = trained.metadata["held_out_relative_error"]
    if error is None or not np.isfinite(error):
        raise CheckFailure(f"held-out error is {error!r}")
    require(trained.corrector.active == (not trained.metadata["gated"]), "gated and active contradict each other")
    if trained.corrector.active:
        require(error < 1, f"active with a held-out error of {error:.2g} times the bare method's: it should be gated")
    solution = _solver(trained.corrector).prepare(problems.oscillator(), FixedStep(_DT))()
    require(solution.finite.all(), "corrected steps of a harmless problem are not finite")


@check("corrector")
def check_determinism(corrector: Corrector, context: Context) -> None:
    """The same seed and data give the same weights, bit for bit."""
    first, second = _trained(corrector, context), _train(corrector, context)
    require(_same(first.corrector, second.corrector), "training twice with one seed gives different weights")


@check("corrector")
def check_weights_round_trip(corrector: Corrector, context: Context) -> None:
    """Stored and loaded weights make the same steps, bit for bit."""
    from attns_core.weights import load_weights, save_weights

    trained = _trained(corrector, context)
    with tempfile.TemporaryDirectory() as folder:
        save_weights(Path(folder) / "weights", trained)
        loaded = load_weights(Path(folder) / "weights", equation=problems.OSCILLATOR, method=_HEUN, dt=_DT)
    require(_same(trained.corrector, loaded.corrector), "loaded weights make different steps")


def _solver(corrector: Correction) -> OneStepSolver:
    return OneStepSolver(method=_HEUN, backend=NumpyBackend(), corrector=corrector)


def _same(first: Correction, second: Correction) -> bool:
    u, v = (_solver(c).prepare(problems.oscillator(), FixedStep(_DT))().u for c in (first, second))
    return first.active == second.active and bool(np.array_equal(u, v))


def _train(corrector: Corrector, context: Context) -> Any:
    from attns_core.training import train

    name = corrector.recipe if corrector.tableau else "lsq"
    if name not in context.registry.names("recipe"):
        raise CheckSkipped(f"the recipe {name!r} is not registered")
    recipe = context.registry.get("recipe", name)
    small = corrector.with_options(width=min(corrector.width, 16))
    return train(problems.OSCILLATOR, _HEUN, small, recipe, dt=_DT, trajectories=6)


@lru_cache(maxsize=4)
def _trained(corrector: Corrector, context: Context) -> Any:
    return _train(corrector, context)
