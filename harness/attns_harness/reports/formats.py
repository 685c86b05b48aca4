"""The report formats that ship with AttNS, registered through the same hook as anyone's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attns_core import hookimpl
from attns_core.report import Report

TITLES = {
    "html": "One HTML file that opens offline",
    "md": "Markdown, short, with PNG figures",
    "latex": "LaTeX tables (booktabs), PDF figures, BibTeX",
    "figures": "Every figure as SVG, PDF and PNG",
    "csv": "CSV with a schema of its columns",
    "parquet": "Parquet with a schema of its columns",
}


def _report(name: str) -> Report:
    def write(table: Any, folder: Path, title: str) -> Sequence[Path]:
        from attns_harness.reports.write import write_format  # pandas: only where a report is written

        return write_format(name, table, folder, title)

    return Report(name=name, title=TITLES[name], write=write)


def _claims(table: Any, folder: Path, title: str) -> Sequence[Path]:
    from attns_harness.reports.claims import write_claims

    return write_claims(table, folder, title)


@hookimpl
def attns_reports() -> tuple[Report, ...]:
    claims = Report(
        name="claims", title="Verdicts on the AttNS paper's claims, with the rows behind them", write=_claims
    )
    return (*(_report(name) for name in TITLES), claims)
