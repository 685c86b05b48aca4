"""Every figure of a report as files, to be put into something else."""

from pathlib import Path

from attns_harness.reports.document import Document
from attns_harness.reports.figures import render

KINDS = ("svg", "pdf", "png")


def write_figures(document: Document, out: Path) -> list[Path]:
    """``figures/NAME.svg``, ``.pdf`` and ``.png`` of every figure."""
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for section in document.sections:
        for figure in section.figures:
            drawn = figure.draw()
            for kind in KINDS:
                path = folder / f"{figure.name}.{kind}"
                path.write_bytes(render(drawn, kind))
                written.append(path)
    return written
