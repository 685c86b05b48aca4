"""Training curves as a table, from the metadata of stored weights: what reports draw of trainings."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from attns_harness.analysis.frames import Frame

FILE = "training.parquet"
COLUMNS = (
    "weights_id", "equation", "method", "corrector", "recipe", "train_trajectories", "noise", "seed", "gated",
    "seconds", "training_loss", "held_out_loss",
)  # fmt: skip


def read_training_curves(run_dir: Path) -> Frame:
    """One row per point of every training curve of a run: kept in its tables, else from its weights."""
    path = run_dir / "tables" / FILE
    if path.is_file():
        return pd.read_parquet(path)
    return pd.DataFrame.from_records(list(_points(run_dir / "artefacts")), columns=list(COLUMNS))


def keep_training_curves(run_dir: Path) -> None:
    """Write ``tables/training.parquet`` from the weights in the run folder; without weights nothing changes."""
    points = list(_points(run_dir / "artefacts"))
    if points:
        table = pd.DataFrame.from_records(points, columns=list(COLUMNS))
        table.to_parquet(run_dir / "tables" / FILE, index=False)


def _points(artefacts: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(artefacts.glob("*/*/*.json")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            shared = {
                "weights_id": path.parent.name,
                "equation": str(data["equation"]),
                "method": str(data["method"]),
                "corrector": str(data["corrector"]["name"]),
                "recipe": str((data.get("recipe") or {}).get("name", "")),
                "train_trajectories": data.get("trajectories"),
                "noise": data.get("noise"),
                "seed": data.get("seed"),
                "gated": bool(data.get("gated")),
            }
            curve = [[None if v is None else float(v) for v in point] for point in data["curve"]]
            yield from (
                {**shared, "seconds": seconds, "training_loss": training, "held_out_loss": held_out}
                for seconds, training, held_out in curve
                if held_out is not None and math.isfinite(held_out) and held_out > 0
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            # Not the metadata of weights, or of another version: nothing to draw.
            continue
