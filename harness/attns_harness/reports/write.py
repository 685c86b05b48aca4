"""Writing reports: a run folder in, files out."""

from collections.abc import Sequence
from pathlib import Path

from attns_core import AttnsError
from attns_harness.analysis.table import load_table
from attns_harness.reports.markdown import write_markdown

WRITERS = {"md": write_markdown}


def write_report(run_dir: Path, out: Path, formats: Sequence[str] = ("md",)) -> list[Path]:
    """Write reports of a run and return the files written.

    Parameters
    ----------
    run_dir : path
        The folder of a run; only its tables are read.
    out : path
        Folder for the reports, made if missing.
    formats : sequence of str
        Names of report formats.

    Raises
    ------
    AttnsError
        For an unknown format, or a folder without a run.
    """
    for name in formats:
        if name not in WRITERS:
            raise AttnsError(f"unknown report format {name!r}; known: {', '.join(sorted(WRITERS))}")
    table = load_table(run_dir)
    out.mkdir(parents=True, exist_ok=True)
    return [path for name in formats for path in WRITERS[name](table, out, title=run_dir.name)]
