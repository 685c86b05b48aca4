"""Result tables of synthetic solvers whose error constants and costs are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class SyntheticSolver:
    """Error ``constant * dt**order`` and time ``seconds_per_step / dt`` per trajectory on a unit time span."""

    name: str
    order: float
    constant: float
    seconds_per_step: float
    corrector: str = ""
    train_seconds: float = float("nan")
    data_seconds: float = float("nan")
    stages: int = 1
    explodes_above: float = float("inf")


RK4 = SyntheticSolver("rk4", 4, 1.0, 4e-6, stages=4)
EULER = SyntheticSolver("euler", 1, 1.0, 1e-6, explodes_above=0.15)
DOP853 = SyntheticSolver("dop853", 8, 10.0, 12e-6, stages=12)
ATTNS = SyntheticSolver("rk4+attns", 4, 1e-3, 8e-6, "attns", train_seconds=3.0, data_seconds=1.0, stages=4)
EARLY = SyntheticSolver("rk4+early", 4, 2.0, 5e-6, "early", train_seconds=0.01, data_seconds=1.0, stages=4)
LINEAR = SyntheticSolver("rk4+linear", 4, 0.5, 5e-6, "linear", train_seconds=0.01, data_seconds=1.0, stages=4)


def table(
    solvers: Sequence[SyntheticSolver] = (EULER, RK4, DOP853, LINEAR, ATTNS),
    equations: Sequence[str] = ("spring-chain", "henon-heiles"),
    dts: Sequence[float] = (0.2, 0.1, 0.05, 0.025),
    seeds: Sequence[int] = (0, 1, 2),
    *,
    spread: float = 0.0,
    n_trajectories: int = 100,
    uncertainty: float = 1e-13,
) -> pd.DataFrame:
    """Rows as the runner writes them; ``spread`` is the standard deviation of log errors and log times."""
    rng = np.random.default_rng(7)
    rows = []
    for equation in equations:
        for solver in solvers:
            for dt in dts:
                for seed in seeds:
                    exploded = dt > solver.explodes_above
                    error = solver.constant * dt**solver.order * np.exp(spread * rng.normal())
                    seconds = solver.seconds_per_step / dt * np.exp(spread * rng.normal()) * n_trajectories
                    row = {
                        "cell_id": f"{equation}/{solver.name}/{dt}/{seed}",
                        "state": "diverged" if exploded else "ok",
                        "reason": "0.4 of the trajectories lost from t=2 on" if exploded else "",
                        "equation": equation,
                        "solver": solver.name,
                        "method": solver.name.split("+")[0],
                        "corrector": solver.corrector or None,
                        "backend": "numba",
                        "dtype": "float64",
                        "dt": dt,
                        "rtol": None,
                        "train_trajectories": 20 if solver.corrector else None,
                        "noise": 0.0 if solver.corrector else None,
                        "seed": seed,
                        "t_end": 1.0,
                        "n_trajectories": n_trajectories,
                        "diverged_fraction": 0.4 if exploded else 0.0,
                        "divergence_time": 2.0 if exploded else None,
                        "nfe": solver.stages / dt,
                        "n_steps": 1 / dt,
                        "time_min_s": seconds,
                        "time_median_s": seconds * 1.03,
                        "first_call_s": 1.0,
                        "reference_uncertainty": uncertainty,
                        "train_seconds": solver.train_seconds,
                        "data_seconds": solver.data_seconds,
                        "held_out_relative_error": 0.01 if solver.corrector else None,
                        "invariant_drift": error / 10,
                        "rollout_mse": error**2,
                    }
                    for norm, factor in (("final", 1.5), ("l2", 1.0), ("linf", 3.0)):
                        for kind in ("", "_rel", "_scaled"):
                            row[f"error_{norm}{kind}"] = None if exploded else factor * error
                    rows.append(row)
    return pd.DataFrame(rows)


def trajectories(table: pd.DataFrame) -> pd.DataFrame:
    """Kept trajectories of every problem of a prepared table: a circle, and solvers that leave it."""
    from attns_harness.trajectories import chosen_cells

    t = np.linspace(0, 10, 60)
    parts = []
    for row in chosen_cells(table).itertuples():
        for index, (name, exact) in enumerate((("q", np.cos(t)), ("p", -np.sin(t)))):
            u = exact * (1 + 0.02 * t)
            if row.role == "diverged":
                u = np.where(t < 5, u, np.nan)
            parts.append(
                pd.DataFrame({"t": t, "component_index": index, "component": name, "u": u, "reference": exact}).assign(
                    problem=row.problem, role=row.role, cell_id=row.cell_id, series=row.series, control=row.control,
                    seed=row.seed, error_l2_scaled=row.error_l2_scaled, trajectory=0,
                )
            )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def training_curves(equation: str) -> pd.DataFrame:
    """Two falling training curves."""
    parts = [
        pd.DataFrame({"seconds": [0.1, 0.2, 0.4], "training_loss": [0.5, 0.2, 0.1], "held_out_loss": loss}).assign(
            weights_id=name, equation=equation, method="rk4", corrector=name, recipe="adam", train_trajectories=20,
            noise=0.0, seed=0, gated=False,
        )
        for name, loss in (("attns", [0.6, 0.3, 0.2]), ("linear", [0.9, 0.8, 0.8]))
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def run_folder(path: Path, **options: Any) -> Path:
    """A run folder with everything that reports read, as a published run has it."""
    from attns_harness.analysis import prepare

    (path / "tables").mkdir(parents=True)
    rows = table(**options)
    rows.to_parquet(path / "tables" / "results.parquet")
    trajectories(prepare(rows)).to_parquet(path / "tables" / "trajectories.parquet")
    training_curves(str(rows["equation"].iloc[0])).to_parquet(path / "tables" / "training.parquet")
    (path / "matrix.toml").write_text(
        'name = "synthetic"\ntitle = "Synthetic solvers"\ndescription = "Known errors and costs."\n', encoding="utf-8"
    )
    return path
