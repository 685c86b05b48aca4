"""Datasets: pairs one coarse step apart, ``(u, S, r)`` with ``r = u_next - u - S``, and where they came from."""

import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np

from attns_core.array_cache import cached_arrays
from attns_core.correction import gather_inputs
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.flow import Flow, compiled_flow, numpy_flow, step_increment, substeps_for
from attns_core.identity import content_hash, source_hash
from attns_core.method import AbstractMethod
from attns_core.types import Array

FULL_SET = 2000
"""Trajectories of the full training set; fewer are its first ones, so smaller sets are nested in larger."""

STREAMS = {"train": 0, "validation": 1, "test": 2, "noise": 3}
"""Second entry of the seed sequence ``[seed, stream]``: sets of initial states never share a stream."""

HELD_OUT = 5
"""Every fifth trajectory is held out for choosing hyper-parameters."""

_FORMAT = 3


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Training pairs of one equation, method and step.

    Parameters
    ----------
    equation : Equation
    method : AbstractMethod
    dt : float
    t : array, shape (N,)
        Time at the start of each pair.
    u, S, r : array, shape (dim, N)
        State, the method's increment at it, and the residual that a perfect corrector adds.
    k : array, shape (stages, dim, N)
        The method's stages at ``u``; no rows for methods without stages.
    trajectory : integer array, shape (N,)
        Which trajectory a pair belongs to.
    held_out : bool array, shape (N,)
        Pairs for choosing hyper-parameters: every fifth trajectory, one of three or four; with one or
        two trajectories the last fifth of each in time, as a last resort.
    noise : float
        Standard deviation of the Gaussian noise added to the states.
    seed : int
    id : str
        Hash of everything that decides the contents.
    seconds : float
        What making it cost when it was made (a copy from the cache keeps the first figure).
    u0 : array, shape (dim, N), optional
        Initial state of each pair's trajectory, for correctors that read it.
    units : array, shape (dim,), optional
        Units in which errors of the components are measured; default: the spread of the states.
    """

    equation: Equation
    method: AbstractMethod
    dt: float
    t: Array
    u: Array
    S: Array
    r: Array
    k: Array
    trajectory: Any
    held_out: Any
    noise: float
    seed: int
    id: str
    seconds: float
    u0: Array | None = None
    units: Array | None = None

    @property
    def n(self) -> int:
        """Number of pairs."""
        return self.u.shape[1]

    @property
    def dim(self) -> int:
        return self.u.shape[0]

    @property
    def trajectories(self) -> int:
        return int(np.unique(self.trajectory).size)

    @cached_property
    def scale(self) -> Array:
        """Units of the components: given ones, or the states' standard deviation, 1 where they do not vary."""
        if self.units is not None:
            return self.units
        std = self.u.std(axis=1)
        return np.where(std > 0, std, 1.0)

    def inputs(self, name: str) -> Array:
        """An input block of the correctors at every pair, shape (n_in, N)."""
        return gather_inputs(name, self.u, self.S, self.k, self.u0)

    def take(self, pairs: Any) -> "Dataset":
        """The same dataset with some of its pairs (indices or a mask)."""
        return replace(
            self,
            t=self.t[pairs],
            u=self.u[:, pairs],
            S=self.S[:, pairs],
            r=self.r[:, pairs],
            k=self.k[:, :, pairs],
            trajectory=self.trajectory[pairs],
            held_out=self.held_out[pairs],
            u0=None if self.u0 is None else self.u0[:, pairs],
        )

    def relative_error(self, term: Array) -> float:
        """Mean squared one-step error with correction ``term`` (dim, N), divided by the bare method's.

        Components are measured in units of their spread. 1 means the correction is useless, and so it
        is when the bare method leaves nothing to correct.
        """
        weight = 1 / self.scale[:, None]
        bare = float(np.mean((self.r * weight) ** 2))
        return float(np.mean(((self.r - term) * weight) ** 2)) / bare if bare > 0 else 1.0


def fraction_of_full(fraction: float) -> int:
    """Number of trajectories in a fraction of the full set, at least 1.

    Examples
    --------
    >>> fraction_of_full(0.01)
    20
    """
    if not 0 < fraction <= 1:
        raise AttnsError(f"the fraction of the full set must lie in (0, 1], got {fraction!r}")
    return max(1, round(fraction * FULL_SET))


def dataset_id(
    equation: Equation,
    method: AbstractMethod,
    dt: float,
    *,
    trajectories: int,
    t_end: float | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> str:
    """The id that :func:`make_dataset` gives, without making it."""
    key = {
        "format": _FORMAT,
        **equation.identity(),
        "sampler": source_hash(equation.sample),
        "method": method.identity(),
        "dt": float(dt),
        "trajectories": int(trajectories),
        "t_end": float(equation.t_end if t_end is None else t_end),
        "noise": float(noise),
        "seed": int(seed),
    }
    return content_hash(key)


def make_dataset(
    equation: Equation,
    method: AbstractMethod,
    dt: float,
    *,
    trajectories: int,
    t_end: float | None = None,
    noise: float = 0.0,
    seed: int = 0,
    cache: Path | None = None,
) -> Dataset:
    """Reference trajectories, subsampled at the coarse step, as training pairs.

    The residual is the difference of two increments, never of two states, so that it is accurate to
    round-off in the increment even where it is tiny beside the state.

    Parameters
    ----------
    dt : float
        The coarse step that the corrector is for.
    trajectories : int
        Training and held-out ones; their initial states are the first of the full sets of this seed.
    t_end : float, optional
        Default: the equation's. The last incomplete step is dropped.
    noise : float
        Standard deviation of Gaussian noise on every state, before pairs are formed.
    cache : Path, optional
        Folder of content-addressed copies.

    Raises
    ------
    AttnsError
        If a number is out of range or a reference trajectory cannot be followed to round-off.
    """
    end = equation.t_end if t_end is None else t_end
    _check(equation, dt, trajectories, end, noise)
    name = dataset_id(equation, method, dt, trajectories=trajectories, t_end=end, noise=noise, seed=seed)

    def build() -> dict[str, Any]:
        states, increments, seconds = _trajectories(equation, dt, trajectories, end, seed, cache)
        start = time.perf_counter()
        arrays = _pairs(equation, method, dt, states, increments, noise, seed)
        return {**arrays, "seconds": np.array(seconds + time.perf_counter() - start)}

    arrays = build() if cache is None else cached_arrays(Path(cache), f"dataset-{name}", build)
    seconds = float(arrays.pop("seconds"))
    return Dataset(equation=equation, method=method, dt=dt, noise=noise, seed=seed, id=name, seconds=seconds, **arrays)


def _check(equation: Equation, dt: float, trajectories: int, t_end: float, noise: float) -> None:
    if not (np.isfinite(dt) and dt > 0):
        raise AttnsError(f"dt must be a positive number, got {dt!r}")
    if trajectories < 1:
        raise AttnsError(f"a dataset needs at least 1 trajectory, got {trajectories!r}")
    if not (np.isfinite(noise) and noise >= 0):
        raise AttnsError(f"noise must be a standard deviation, at least 0, got {noise!r}")
    if not (np.isfinite(t_end) and t_end - equation.t0 >= dt * (1 - 1e-9)):
        raise AttnsError(f"t_end={t_end!r} leaves no whole step of dt={dt:g} after t0={equation.t0:g}")


def _trajectories(
    equation: Equation, dt: float, n: int, t_end: float, seed: int, cache: Path | None
) -> tuple[Array, Array, float]:
    """States and increments (steps, dim, n), and what following them cost; shared by methods and noise levels."""

    def build() -> dict[str, Any]:
        # Compiling is not counted, as with solvers.
        flow = compiled_flow(equation) or numpy_flow(equation)
        start = time.perf_counter()
        u0 = initial_states(equation, n, seed)
        steps = int((t_end - equation.t0) / dt * (1 + 1e-12))
        states, increments = follow(equation, u0, equation.t0 + dt * np.arange(steps), dt, flow=flow)
        return {"states": states, "increments": increments, "seconds": np.array(time.perf_counter() - start)}

    key = {"format": _FORMAT, **equation.identity(), "sampler": source_hash(equation.sample)}
    key.update({"dt": float(dt), "trajectories": n, "t_end": float(t_end), "seed": seed})
    found = build() if cache is None else cached_arrays(Path(cache), f"trajectories-{content_hash(key)}", build)
    return found["states"], found["increments"], float(found["seconds"])


def initial_states(equation: Equation, n: int, seed: int) -> Array:
    """Initial states (dim, n) of a dataset, those of held-out trajectories out of a stream of their own."""
    held_out = held_out_pairs(np.arange(n), 1) if n > 2 else np.zeros(n, dtype=bool)
    u0 = np.empty((equation.dim, n))
    for stream, mine in (("train", ~held_out), ("validation", held_out)):
        full = equation.initial_states([seed, STREAMS[stream]], max(n, FULL_SET))
        u0[:, mine] = full[:, : int(mine.sum())]
    return u0


def _pairs(
    equation: Equation, method: AbstractMethod, dt: float, states: Array, increments: Array, noise: float, seed: int
) -> dict[str, Any]:
    if noise > 0:
        rng = np.random.default_rng([seed, STREAMS["noise"]])
        shift = noise * rng.standard_normal((len(states) + 1, *states.shape[1:]))
        increments = increments + np.diff(shift, axis=0)
        states = states + shift[:-1]
    return pairs_of(equation, method, dt, equation.t0 + dt * np.arange(len(states)), states, increments)


def follow(equation: Equation, u0: Array, times: Array, dt: float, *, flow: Flow | None = None) -> tuple[Array, Array]:
    """Reference trajectories from ``u0`` (dim, n): states and increments at ``times``, (steps, dim, n).

    Parameters
    ----------
    flow : callable, optional
        Default: plain NumPy.

    Raises
    ------
    AttnsError
        If a trajectory leaves the finite numbers or needs too many sub-steps.
    """
    flow = numpy_flow(equation) if flow is None else flow
    states = np.empty((times.size, *u0.shape))
    increments = np.empty_like(states)
    u, count = u0, 2
    every = max(1, times.size // 8)
    for first in range(0, times.size, every):
        part = slice(first, first + every)
        # Trajectories may become faster on the way; the count never falls.
        count = max(count, substeps_for(equation, times[first], u, dt, start=count, flow=flow))
        states[part], increments[part] = flow(times[part], u, dt, count)
        ends = states[part] + increments[part]
        finite = np.isfinite(ends).all(axis=1)
        if not finite.all():
            step, bad = np.argwhere(~finite)[0]
            raise AttnsError(
                f"equation {equation.name!r}: reference trajectory {bad} leaves the finite numbers near "
                f"t={times[first + step] + dt:g}; shorten t_end or change the sampler"
            )
        u = ends[-1]
    return states, increments


def pairs_of(
    equation: Equation, method: AbstractMethod, dt: float, times: Array, states: Array, increments: Array
) -> dict[str, Any]:
    """Pairs from states and true increments ``(steps, dim, n)``: the arrays of a :class:`Dataset`."""
    steps, dim, n = states.shape

    def flat(a: Array) -> Array:
        # Pairs are ordered by trajectory, then by time.
        return np.ascontiguousarray(a.transpose(1, 2, 0).reshape(dim, n * steps))

    u, t = flat(states), np.tile(times, n)
    S, k = step_increment(equation, method, t, u, dt)
    trajectory = np.repeat(np.arange(n), steps)
    return {
        "t": t,
        "u": u,
        "S": S,
        "r": flat(increments) - S,
        "k": k,
        "trajectory": trajectory,
        "held_out": held_out_pairs(trajectory, steps),
    }


def held_out_pairs(trajectory: Any, steps: int) -> Any:
    """Mask of the held-out pairs for ``trajectory`` indices with ``steps`` pairs each."""
    n = int(trajectory.max()) + 1
    if n >= HELD_OUT:
        return trajectory % HELD_OUT == HELD_OUT - 1
    if n > 2:
        return trajectory == n - 1
    position = np.arange(trajectory.size) % steps
    return position >= steps - max(1, steps // HELD_OUT)
