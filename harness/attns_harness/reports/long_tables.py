"""All rows of the tables that a report shows in part."""

from pathlib import Path

from attns_harness.analysis.frames import pd
from attns_harness.reports.document import LONG_TABLES, Document
from attns_harness.reports.markdown import MOST_ROWS


def write_long_tables(document: Document, out: Path) -> list[Path]:
    """One CSV per name of a table that some format cuts, the tables of all sections in it."""
    long: dict[str, list[object]] = {}
    cut = {table.name for section in document.sections for table in section.tables if len(table.frame) > MOST_ROWS}
    for section in document.sections:
        for table in section.tables:
            if table.name in cut:
                frame = table.frame.copy()
                frame.insert(0, "section", section.title)
                long.setdefault(table.name, []).append(frame)
    folder = out / LONG_TABLES
    if long:
        folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frames in long.items():
        path = folder / f"{name}.csv"
        pd.concat(frames, ignore_index=True).to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
        written.append(path)
    return written
