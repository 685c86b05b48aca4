"""Tables for other programs: CSV and Parquet, each with a schema that defines every column."""

import json
from pathlib import Path
from typing import Any

from attns_harness.analysis.frames import Frame

COLUMNS = {
    "cell_id": "hash of everything that decides the cell's outcome",
    "state": "ok, diverged, error, timeout, crashed, oom, skipped, interrupted, not_run or stale",
    "reason": "why the state is not ok",
    "equation": "name of the equation",
    "params": "overridden parameters of the equation",
    "solver": "name of the solver's curve",
    "method": "classical method; empty for a black box",
    "corrector": "learned corrector; none for a classical method, empty for a black box",
    "corrector_options": "options of the corrector that differ from its defaults",
    "recipe": "how the corrector was trained",
    "backend": "what executed the method",
    "dtype": "precision of the states",
    "dt": "fixed step; units of the equation's time",
    "rtol": "tolerance of adaptive steps, or of the pilot of frozen ones; dimensionless",
    "steps_per_save": "steps in every saving interval, where these decide the steps",
    "train_trajectories": "size of the training set; trajectories",
    "train_t_end": "time span of a training trajectory; units of the equation's time",
    "noise": "standard deviation of the noise on the training states; units of the state",
    "seed": "seed of the evaluation ensemble and of the training",
    "t_end": "end of the time span; units of the equation's time",
    "save_every": "distance of saved times; units of the equation's time",
    "n_trajectories": "evaluated ensemble; trajectories",
    "nfe": "right-hand-side evaluations per trajectory, mean over the ensemble",
    "n_steps": "accepted steps per trajectory, mean over the ensemble",
    "n_rejected": "rejected steps per trajectory, mean over the ensemble",
    "n_corrector": "corrector evaluations per trajectory, mean over the ensemble",
    "operations": "floating-point operations per trajectory, corrector included, mean over the ensemble; in additions",
    "time_min_s": "fastest solve of the whole ensemble; seconds",
    "time_median_s": "median solve of the whole ensemble; seconds",
    "time_iqr_s": "interquartile range of the timings; seconds",
    "time_samples": "number of timings",
    "unstable": "whether the timings scatter too much for a claim",
    "first_call_s": "set-up, compilation and first solve; seconds",
    "reference_uncertainty": "largest gap between two independent references within the valid time, "
    "component-scaled; dimensionless",
    "input": "input of the corrector, chosen or given",
    "width": "hidden units of the corrector",
    "train_seconds": "training without data generation; seconds",
    "data_seconds": "generation of the training data; seconds",
    "held_out_relative_error": "one-step error on held-out trajectories over the bare method's; dimensionless",
    "lipschitz": "L_Q, or L_N for input u: largest slope of the corrector's term by its inputs over training pairs",
    "out_of_range_fraction": "share of trajectories with a saved state outside the training region, by a tenth of its "
    "extent in any input; 0 to 1",
    "gated": "whether the corrector switched itself off",
    "environment": "environment of the run; its facts are in environments.json",
    "attns_version": "version of AttNS",
    "git_commit": "commit of the working tree, where there was one",
    "git_dirty": "whether the working tree had changes",
    "python_version": "version of Python",
    "numba_version": "version of numba",
    "cpu": "processor",
    "threads": "threads that a solve may use; black boxes may have their own",
}
"""Definition and unit of every column that no metric defines."""


def schema(table: Frame, registry: Any) -> list[dict[str, str]]:
    """Name, type and definition of every column of a table, metrics' own definitions included."""
    defined = dict(COLUMNS)
    for metric in registry.all("metric"):
        defined |= dict(metric.columns)
    return [
        {"name": str(c), "type": str(table[c].dtype), "definition": defined.get(c, "recorded by a plugin")}
        for c in table
    ]


def write_csv(table: Frame, out: Path, registry: Any) -> list[Path]:
    """``results.csv`` and ``schema.json``."""
    path = out / "results.csv"
    table.to_csv(path, index=False)
    return [path, _write_schema(table, out, registry)]


def write_parquet(table: Frame, out: Path, registry: Any) -> list[Path]:
    """``results.parquet`` and ``schema.json``."""
    path = out / "results.parquet"
    table.to_parquet(path, index=False)
    return [path, _write_schema(table, out, registry)]


def _write_schema(table: Frame, out: Path, registry: Any) -> Path:
    path = out / "schema.json"
    content = {"format": 1, "missing": "empty", "columns": schema(table, registry)}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
