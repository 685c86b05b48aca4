"""A user's own trajectories as training data: ``.npz``, CSV and Parquet files.

Schema
------
``.npz``
    ``t`` of shape (n_save,) and ``u`` of shape (n_save, dim, n), the layout of solutions. Pickled
    objects are refused.
CSV, Parquet
    One row per state, with the columns ``trajectory`` (any integer), ``t`` and one per component,
    named as the equation names them. Rows may come in any order.

Times must be the same for all trajectories and evenly spaced; their spacing, or a whole multiple of
it, is the step ``dt`` that a corrector is trained for.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np

from attns_core.control import StepControl
from attns_core.dataset import Dataset, initial_states, pairs_of
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.identity import content_hash
from attns_core.method import AbstractMethod
from attns_core.problem import Problem
from attns_core.solver import AbstractSolver
from attns_core.types import Array


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectories:
    """States ``u`` of shape (n_save, dim, n) at evenly spaced times ``t`` of shape (n_save,)."""

    t: Array
    u: Array
    source: str

    @property
    def spacing(self) -> float:
        return float(self.t[-1] - self.t[0]) / (self.t.size - 1)

    @property
    def n(self) -> int:
        """Number of trajectories."""
        return self.u.shape[2]

    def stride(self, dt: float) -> int:
        """Number of spacings in a step.

        Raises
        ------
        AttnsError
            If ``dt`` is not a whole multiple of the spacing or leaves fewer than two states.
        """
        spacing, stride = self.spacing, round(dt / self.spacing)
        if stride < 1 or abs(stride * spacing - dt) > 1e-9 * dt:
            raise AttnsError(f"{self.source}: states are {spacing:g} apart; dt={dt:g} is not a whole multiple of that")
        if stride >= self.t.size:
            raise AttnsError(f"{self.source}: dt={dt:g} leaves 1 state per trajectory; at least 2 are needed")
        return stride

    def first(self, n: int) -> "Trajectories":
        """The first ``n`` trajectories.

        Raises
        ------
        AttnsError
            If there are fewer.
        """
        if not 1 <= n <= self.n:
            raise AttnsError(f"{self.source} has {self.n} trajectories; {n} were asked for")
        return replace(self, u=self.u[:, :, :n])


def read_trajectories(path: Path | str, equation: Equation) -> Trajectories:
    """Read and check trajectories of an equation.

    Raises
    ------
    AttnsError
        A missing or unreadable file, wrong columns or shapes, NaN, uneven times, or a trajectory that
        lacks a time; the message names the first offender.
    """
    path = Path(path)
    if not path.is_file():
        raise AttnsError(f"no trajectory file {str(path)!r}")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        t, u = _from_npz(path, equation)
    elif suffix in (".csv", ".parquet"):
        t, u = _from_table(path, equation)
    else:
        raise AttnsError(f"{path}: trajectories come as .npz, .csv or .parquet, not {suffix or 'without a suffix'}")
    return _checked(t, u, str(path), equation)


def dataset_from_trajectories(
    trajectories: Trajectories, equation: Equation, method: AbstractMethod, *, dt: float | None = None
) -> Dataset:
    """Training pairs from trajectories, subsampled at ``dt`` (default: their spacing).

    The residual is a difference of given states, so it carries their round-off and their noise.

    Raises
    ------
    AttnsError
        If ``dt`` is not a whole multiple of the spacing or leaves fewer than two states.
    """
    start = time.perf_counter()
    stride = 1 if dt is None else trajectories.stride(dt)
    t, u = trajectories.t[::stride], trajectories.u[::stride]
    step = trajectories.spacing * stride
    arrays = pairs_of(equation, method, step, t[:-1], u[:-1], np.diff(u, axis=0))
    name = content_hash({**equation.identity(), "method": method.identity(), "dt": step, "t": t, "u": u})
    return Dataset(
        equation=equation,
        method=method,
        dt=step,
        noise=0.0,
        seed=0,
        id=name,
        seconds=time.perf_counter() - start,
        **arrays,
    )


def solved_dataset(
    equation: Equation,
    method: AbstractMethod,
    source: AbstractSolver,
    control: StepControl,
    *,
    dt: float,
    trajectories: int,
    t_end: float | None = None,
    seed: int = 0,
) -> Dataset:
    """Training pairs of trajectories that a solver follows, for equations too stiff for explicit sub-steps.

    The initial states are those of :func:`attns_core.dataset.make_dataset`; residuals carry the solver's
    error and the round-off of states.

    Raises
    ------
    AttnsError
        If no whole step fits before ``t_end`` or a trajectory is lost.
    """
    end = equation.t_end if t_end is None else t_end
    steps = int((end - equation.t0) / dt * (1 + 1e-12))
    if steps < 1:
        raise AttnsError(f"t_end={end!r} leaves no whole step of dt={dt:g} after t0={equation.t0:g}")
    u0 = initial_states(equation, trajectories, seed)
    times = equation.t0 + dt * np.arange(steps + 1)
    run = source.prepare(Problem(equation=equation, u0=u0, t_save=times), control)
    start = time.perf_counter()
    solution = run()
    if not solution.finite.all():
        lost = int(np.argmin(solution.finite))
        raise AttnsError(f"{source.name} loses training trajectory {lost} of {equation.name}: {solution.message}")
    found = Trajectories(t=times, u=solution.u.astype(np.float64), source=source.name)
    dataset = dataset_from_trajectories(found, equation, method)
    return replace(dataset, dt=dt, seed=seed, seconds=time.perf_counter() - start)


def _from_npz(path: Path, equation: Equation) -> tuple[Array, Array]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            missing = {"t", "u"} - set(stored.files)
            if missing:
                raise AttnsError(f"{path}: no array {sorted(missing)[0]!r}; found {sorted(stored.files)}")
            t, u = np.asarray(stored["t"], dtype=np.float64), np.asarray(stored["u"], dtype=np.float64)
    except AttnsError:
        raise
    except Exception as error:
        raise AttnsError(f"{path}: not a readable .npz of plain arrays ({error})") from error
    if u.ndim != 3 or u.shape[:2] != (t.size, equation.dim):
        raise AttnsError(
            f"{path}: u has shape {u.shape}, expected (n_save, dim, n) = ({t.size}, {equation.dim}, n) "
            f"for {equation.name!r}"
        )
    return t, u


def _from_table(path: Path, equation: Equation) -> tuple[Array, Array]:
    import pandas as pd

    try:
        frame: Any = pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
    except Exception as error:
        raise AttnsError(f"{path}: not a readable table ({error})") from error
    wanted = ["trajectory", "t", *equation.component_names]
    if set(frame.columns) != set(wanted):
        raise AttnsError(f"{path}: columns are {list(frame.columns)}, expected {wanted}")
    try:
        frame = frame.astype(dict.fromkeys(wanted[1:], "float64"))
    except (TypeError, ValueError) as error:
        raise AttnsError(f"{path}: {error}") from error
    frame = frame.sort_values(["trajectory", "t"], kind="stable")
    groups = [(key, group) for key, group in frame.groupby("trajectory")]
    t = groups[0][1]["t"].to_numpy()
    for key, group in groups:
        if len(group) != t.size or not np.allclose(group["t"], t, rtol=1e-9, atol=0):
            raise AttnsError(f"{path}: trajectory {key} has other times than trajectory {groups[0][0]}")
    states = [group[list(equation.component_names)].to_numpy().T for _, group in groups]
    return t, np.stack(states, axis=-1).transpose(1, 0, 2)


def _checked(t: Array, u: Array, source: str, equation: Equation) -> Trajectories:
    if t.size < 2:
        raise AttnsError(f"{source}: {t.size} state per trajectory; at least 2 are needed")
    bad = np.argwhere(~np.isfinite(u))
    if bad.size:
        step, component, trajectory = (int(i) for i in bad[0])
        raise AttnsError(
            f"{source}: {len(bad)} values are not finite, first {equation.component_names[component]!r} of "
            f"trajectory {trajectory} at t={t[step]:g}; remove or repair these trajectories"
        )
    gaps = np.diff(t)
    mean = (t[-1] - t[0]) / (t.size - 1)
    uneven = np.flatnonzero(~(np.abs(gaps - mean) <= 1e-6 * abs(mean))) if mean > 0 else np.array([0])
    if uneven.size:
        i = int(uneven[0])
        raise AttnsError(
            f"{source}: times are not evenly spaced and increasing: a gap of {gaps[i]:g} after t={t[i]:g}, "
            f"{mean:g} on average; resample them first"
        )
    return Trajectories(t=t, u=u, source=source)
