"""LaTeX reports through plain pdflatex and BibTeX: ``make test-latex``."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import synthetic_runs as synthetic
from attns_harness.reports.write import write_report

from attns_core import build_registry

pytestmark = pytest.mark.latex

HOSTILE = "../../\\input{/etc/passwd}$x$`*_%&#~^{}<b>|\"'\u202e\u65e5"


def compile_report(folder: Path) -> str:
    """Run pdflatex, BibTeX and pdflatex again; returns the last log."""
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "report.tex"]
    log = ""
    cites = r"\bibliography{" in (folder / "report.tex").read_text(encoding="utf-8")
    for command in (latex, *([["bibtex", "report"]] if cites else []), latex, latex):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, done.stdout[-3000:]
        log = done.stdout
    return log


@pytest.mark.parametrize("kind", ["full", "hostile", "empty"])
def test_a_report_compiles(tmp_path: Path, kind: str) -> None:
    small: dict[str, Any] = {"dts": (0.2, 0.1, 0.05), "seeds": (0, 1, 2)}
    equation = HOSTILE if kind == "hostile" else "henon-heiles"
    run = synthetic.run_folder(tmp_path / "run", equations=(equation,), spread=0.1, **small)
    if kind == "empty":
        synthetic.table(**small).iloc[:0].to_parquet(run / "tables" / "results.parquet")
    write_report(run, tmp_path, ("latex",), registry=build_registry())
    log = compile_report(tmp_path / "latex")
    assert (tmp_path / "latex" / "report.pdf").stat().st_size > 10_000
    assert "root:" not in log
    assert not re.search(r"Citation .* undefined|There were undefined", log)
    if kind == "full":
        assert int(re.search(r"\((\d+) pages", log)[1]) < 20  # type: ignore[index]
