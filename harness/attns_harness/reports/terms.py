"""What a run's matrix says about its analysis."""

from pathlib import Path

from attns_core import AttnsError
from attns_harness.matrix import Analysis
from attns_harness.matrix_file import load_matrix


def terms_of(run_dir: Path) -> Analysis:
    """The table ``[analysis]`` of a run's matrix; its defaults where there is no matrix that this version reads."""
    try:
        return load_matrix(run_dir / "matrix.toml").matrix.analysis
    except AttnsError:
        # None, or written for another version: its results are still good, and compared by the defaults.
        return Analysis()
