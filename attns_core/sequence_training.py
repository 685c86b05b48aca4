"""Training a corrector for every step of a given time grid, each on the states that the steps before predict.

One network for the whole span of a stiff transient would have to resolve scales that follow each other
in time; one small network per macro step does not. A step's corrector meets in use what the steps before
it leave behind, not the exact states. Components that have become slaved to others vary little there, so
that the standardisation of inputs would amplify the predecessors' errors: training on predicted states
teaches it not to rely on them.
"""

import time
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, final

import numpy as np

from attns_core.control import StepControl, StepsPerSave
from attns_core.correction import correction
from attns_core.corrector import Corrector
from attns_core.corrector_sequence import CorrectorSequence
from attns_core.dataset import Dataset, held_out_pairs, initial_states
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.fitting.selection import candidate_inputs
from attns_core.flow import step_increment
from attns_core.identity import canonical, content_hash, source_hash
from attns_core.method import AbstractMethod
from attns_core.problem import Problem
from attns_core.recipe import AbstractRecipe, Progress
from attns_core.solver import AbstractSolver
from attns_core.step_sequence import divided
from attns_core.trained_corrector import TrainedCorrector
from attns_core.training import Trained, fitted, origin
from attns_core.types import Array

States: TypeAlias = Literal["predicted", "exact"]
"""What the corrector of a step is trained on: what the steps before predict, or the exact states."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Transients:
    """Training trajectories at the ends of macro steps.

    Parameters
    ----------
    equation : Equation
    starts, lengths : array, shape (n_steps,)
        The macro steps.
    u : array, shape (n_steps + 1, dim, n)
        Exact states at their ends; ``u[0]`` are the initial states.
    id : str
        Hash of everything that decides them.
    seconds : float
        What following them cost.
    """

    equation: Equation
    starts: Array
    lengths: Array
    u: Array
    id: str
    seconds: float

    @property
    def units(self) -> Array:
        """Root mean square of every component over times and trajectories, 1 where it vanishes; shape (dim,)."""
        size: Any = np.sqrt(np.mean(self.u**2, axis=(0, 2)))
        return np.where(size > 0, size, 1.0)


def follow_transients(
    equation: Equation,
    *,
    t_save: Array,
    steps: int,
    trajectories: int,
    source: AbstractSolver,
    control: StepControl,
    seed: int = 0,
) -> Transients:
    """Solve for the training trajectories.

    Parameters
    ----------
    t_save : array
        Saving times of the problems that the correctors are for.
    steps : int
        Macro steps per saving interval.
    trajectories : int
        Training and held-out ones; their initial states are the first of the full sets of this seed.
    source, control
        What solves, far more exactly than the correctors shall: ``rodas5p`` at ``rtol=1e-9`` for stiff
        equations, ``dop853`` for others.

    Raises
    ------
    AttnsError
        If a trajectory is lost.
    """
    u0 = initial_states(equation, trajectories, seed)
    grid = Problem(equation=equation, u0=u0[:, :1], t_save=t_save)
    macro = divided(grid, StepsPerSave(steps))
    times = np.concatenate([macro.starts, grid.t_save[-1:]])
    run = source.prepare(Problem(equation=equation, u0=u0, t_save=times), control)
    start = time.perf_counter()
    solution = run()
    seconds = time.perf_counter() - start
    if not solution.finite.all():
        lost = int(np.argmin(solution.finite))
        raise AttnsError(
            f"{source.name} loses training trajectory {lost} of {equation.name} ({solution.message or 'not finite'}); "
            "choose another tolerance, solver, or shorter times"
        )
    key = {**equation.identity(), "sampler": source_hash(equation.sample), "times": times, "seed": seed}
    key |= {"trajectories": trajectories, "source": source.name, "control": repr(control)}
    return Transients(
        equation=equation,
        starts=macro.starts,
        lengths=macro.lengths,
        u=solution.u.astype(np.float64),
        id=content_hash(key),
        seconds=seconds,
    )


def train_sequence(
    method: AbstractMethod,
    corrector: Corrector,
    recipe: AbstractRecipe,
    transients: Transients,
    *,
    states: States = "predicted",
    seed: int = 0,
    progress: Progress | None = None,
) -> Trained:
    """Train one corrector per macro step, in order.

    Parameters
    ----------
    method : AbstractMethod
        Base method; :class:`~attns_core.method.ZeroIncrement` for maps that stand alone.
    corrector : Corrector
        With the input ``u0`` every state is regressed on the initial one. ``auto`` trains the whole
        sequence for each candidate and keeps that of least held-out error.
    states : {"predicted", "exact"}

    Raises
    ------
    AttnsError
        If ``states`` is neither, or the data cannot support a fit; the message names the step.
    """
    if states not in ("predicted", "exact"):
        raise AttnsError(f"states must be 'predicted' or 'exact', got {states!r}")
    first = _dataset(method, transients, 0, transients.u[0], seed)
    found = [
        _train(method, corrector.with_options(input=name), recipe, transients, states, seed, progress)
        for name in candidate_inputs(corrector, first)
    ]
    spent = sum(f.seconds for f in found)
    best = min(found, key=lambda f: f.error)
    sequence = CorrectorSequence(
        correctors=tuple(best.correctors), starts=transients.starts, lengths=transients.lengths
    )
    metadata: dict[str, Any] = {
        **origin(transients.equation, method, corrector, recipe, seed=seed),
        "dt": None,
        "starts": transients.starts.tolist(),
        "lengths": transients.lengths.tolist(),
        "states": states,
        "dataset": transients.id,
        "trajectories": transients.u.shape[2],
        "pairs": transients.u.shape[2],
        "noise": 0.0,
        "input": sequence.input,
        "chosen": {"steps": canonical(best.chosen), "input": sequence.input},
        "held_out_relative_error": best.relative,
        "held_out_by_step": best.by_step,
        "gated": not sequence.active,
        "train_seconds": spent,
        "data_seconds": transients.seconds,
        "weights": sequence.n_weights,
        "operations": sequence.operations,
    }
    return Trained(corrector=sequence, metadata=metadata)


@final
@dataclass(frozen=True, kw_only=True)
class _Found:
    """A trained sequence; ``error`` is the mean held-out squared error in units, ``relative`` to the bare method's."""

    correctors: list[TrainedCorrector]
    chosen: list[dict[str, Any]]
    by_step: list[float]
    error: float
    relative: float
    seconds: float


def _train(
    method: AbstractMethod,
    corrector: Corrector,
    recipe: AbstractRecipe,
    transients: Transients,
    states: States,
    seed: int,
    progress: Progress | None,
) -> _Found:
    correctors: list[TrainedCorrector] = []
    chosen, errors, bare = [], [], []
    seconds, n_steps = 0.0, transients.lengths.size
    u = transients.u[0]
    for m in range(n_steps):
        data = _dataset(method, transients, m, u, seed)
        try:
            fit, trained, error = fitted(corrector, recipe, data, seed=seed, progress=_part(progress, m, n_steps))
        except AttnsError as problem:
            raise AttnsError(f"step {m} of {n_steps} (t={transients.starts[m]:g}): {problem}") from problem
        correctors.append(trained)
        chosen.append(fit.chosen)
        errors.append(error)
        bare.append(float(np.mean((data.r / data.scale[:, None]) ** 2)))
        seconds += fit.seconds
        if states == "exact":
            u = transients.u[m + 1]
            continue
        u = u + data.S
        if trained.active:
            u = u + correction(trained, data.u, data.S, data.k, data.dt, data.u0)
    weighted = float(np.dot(errors, bare))
    return _Found(
        correctors=correctors,
        chosen=chosen,
        by_step=errors,
        error=weighted / n_steps,
        relative=weighted / sum(bare) if sum(bare) > 0 else 1.0,
        seconds=seconds,
    )


def _dataset(method: AbstractMethod, transients: Transients, m: int, u: Array, seed: int) -> Dataset:
    """Pairs of macro step ``m`` from states ``u`` (dim, n) towards the exact ones at its end."""
    t, dt = float(transients.starts[m]), float(transients.lengths[m])
    S, k = step_increment(transients.equation, method, t, u, dt)
    trajectory = np.arange(u.shape[1])
    return Dataset(
        equation=transients.equation,
        method=method,
        dt=dt,
        t=np.full(u.shape[1], t),
        u=u,
        S=S,
        r=transients.u[m + 1] - u - S,
        k=k,
        trajectory=trajectory,
        held_out=held_out_pairs(trajectory, 1),
        noise=0.0,
        seed=seed,
        id=transients.id,
        seconds=transients.seconds,
        u0=transients.u[0],
        units=transients.units,
    )


def _part(progress: Progress | None, m: int, n: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, text: progress((m + done) / n, f"step {m + 1}/{n}: {text}")
