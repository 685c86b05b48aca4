"""The report formats that ship with AttNS, registered through the same hook as anyone's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attns_core import hookimpl
from attns_core.report import Report
from attns_harness.reports.claims import write_claims
from attns_harness.reports.write import TITLES, write_format


def _report(name: str) -> Report:
    def write(table: Any, folder: Path, title: str) -> Sequence[Path]:
        return write_format(name, table, folder, title)

    return Report(name=name, title=TITLES[name], write=write)


@hookimpl
def attns_reports() -> tuple[Report, ...]:
    claims = Report(
        name="claims", title="Verdicts on the AttNS paper's claims, with the rows behind them", write=write_claims
    )
    return (*(_report(name) for name in TITLES), claims)
