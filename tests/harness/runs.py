"""Running small matrices in tests."""

from pathlib import Path

import pandas as pd
from attns_harness.matrix_file import parse_matrix
from attns_harness.progress import View
from attns_harness.runner import RunOptions, Summary, run_matrix
from attns_harness.tables import PROVENANCE, TIMED
from rich.console import Console

from attns_core.registry import build_registry

HERE = Path(__file__).parent
MISBEHAVING = HERE / "misbehaving.py"


def matrix_text(
    solvers: list[str],
    *,
    seeds: int = 1,
    timing: bool = False,
    deadline_s: float = 3.0,
    dts: tuple[float, ...] = (0.25, 0.125),
    t_end: float = 2.0,
    extra: str = "",
) -> str:
    """A matrix of black boxes from the misbehaving plugin on one small equation."""
    quoted = ", ".join(f'"{s}"' for s in solvers)
    return f"""
name = "faults"
plugins = ["misbehaving.py"]
[limits]
deadline_s = {deadline_s}
memory_mb = 1024
[timing]
enabled = {str(timing).lower()}
budget_s = 0.02
[[block]]
equations = [{{ name = "lotka-volterra", t_end = {t_end}, save_every = 0.25, n_trajectories = 3 }}]
solvers = [{quoted}]
dts = {list(dts)}
seeds = {list(range(seeds))}
{extra}
"""


def run(text: str, folder: Path, **options: object) -> Summary:
    """Run a matrix that lies beside the tests."""
    file = parse_matrix(text, HERE / "matrix.toml")
    registry = build_registry(plugin_files=file.plugin_files)
    view = View(Console(quiet=True), quiet=True)
    return run_matrix(file, folder, registry, RunOptions(**{"workers": 1, **options}), view)  # type: ignore[arg-type]


def stable(table: pd.DataFrame) -> str:
    """A result table without timings, as CSV, to compare byte for byte."""
    return table.drop(columns=[c for c in table.columns if c in TIMED or c in PROVENANCE]).to_csv(index=False)
