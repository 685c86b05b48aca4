"""Example report: a report for AttNS, written from the table of a run."""

from pathlib import Path
from typing import Any

from attns_core import hookimpl
from attns_core.report import Report


def write(table: Any, folder: Path, title: str) -> list[Path]:
    # The example counts cells per solver and state. Failures are rows too: do not drop them silently.
    path = folder / "example-report.csv"
    table.groupby(["solver", "state"]).size().rename("cells").to_csv(path)
    return [path]


EXAMPLE_REPORT = Report(name="example-report", title="Example report", write=write)


@hookimpl
def attns_reports() -> tuple[Report, ...]:
    return (EXAMPLE_REPORT,)
