"""Writing reports: a run folder in, files out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attns_core import build_registry
from attns_core.errors import UnknownNameError
from attns_harness.analysis.frames import Frame
from attns_harness.analysis.study import Study
from attns_harness.analysis.table import prepare
from attns_harness.reports.content import document
from attns_harness.reports.document import Document
from attns_harness.reports.facts import RunFacts, read_facts
from attns_harness.reports.figure_files import write_figures
from attns_harness.reports.formats import TITLES
from attns_harness.reports.html import write_html
from attns_harness.reports.latex import write_latex
from attns_harness.reports.long_tables import write_long_tables
from attns_harness.reports.markdown import write_markdown
from attns_harness.reports.regime_map import write_regime_map
from attns_harness.reports.tables import write_csv, write_parquet
from attns_harness.reports.terms import terms_of
from attns_harness.tables import read_results

_DOCUMENTS: dict[str, Callable[[Document, Path], list[Path]]] = {
    "html": write_html,
    "md": write_markdown,
    "latex": write_latex,
    "figures": write_figures,
}
_TABLES: dict[str, Callable[[Any, Path, Any], list[Path]]] = {"csv": write_csv, "parquet": write_parquet}


def write_report(
    run_dir: Path, out: Path, formats: Sequence[str] = ("md",), *, registry: Any = None, title: str = ""
) -> list[Path]:
    """Write reports of a run and return the files written.

    Parameters
    ----------
    run_dir : path
        The folder of a run; only its tables, its matrix and its record of environments are read.
    out : path
        Folder for the reports, made if missing.
    formats : sequence of str
        Names of report formats: built-in, or registered by a plugin.
    registry : Registry, optional
        Default: everything installed.
    title : str
        Default: the matrix's title, or the folder's name.

    Raises
    ------
    UnknownNameError
        For an unknown format.
    AttnsError
        For a folder without a run.
    """
    registry = build_registry() if registry is None else registry
    _check_names(formats, registry)
    study, facts, table = read_run(run_dir, registry, title)
    return write_formats(study, facts, table, out, formats, registry)


def read_run(run_dir: Path, registry: Any, title: str = "") -> tuple[Study, RunFacts, Frame]:
    """The analyses of a stored run, each made when first asked for, what lies beside its tables, and its rows."""
    facts, table = read_facts(run_dir), read_results(run_dir)
    title = title or facts.title or facts.name
    study = Study(prepare(table, registry), title, registry, facts.regimes, terms_of(run_dir))
    return study, facts, table


def write_formats(
    study: Study, facts: RunFacts, table: Any, out: Path, formats: Sequence[str], registry: Any
) -> list[Path]:
    """Formats of a run that has been read; ``table`` are its rows as stored."""
    _check_names(formats, registry)
    out.mkdir(parents=True, exist_ok=True)
    content: Document | None = None
    written: list[Path] = []
    for name in formats:
        if name == "regime-map":
            written += write_regime_map(study.regimes, study.table, registry, out)
        elif name in _DOCUMENTS:
            # The analyses behind it are made once for all formats.
            if content is None:
                content = document(study, facts)
                written += write_long_tables(content, out)
            written += _DOCUMENTS[name](content, out)
        elif name in _TABLES:
            written += _TABLES[name](table, out, registry)
        else:
            written += registry.get("report", name).write(table, out, study.title)
    return written


def _check_names(formats: Sequence[str], registry: Any) -> None:
    known = sorted({*TITLES, "regime-map", *registry.names("report")})
    for name in formats:
        if name not in known:
            raise UnknownNameError("report format", name, known)


def write_format(name: str, table: Any, out: Path, title: str) -> list[Path]:
    """One format from a table alone, without a run folder."""
    registry = build_registry()
    if name in _TABLES:
        return _TABLES[name](table, out, registry)
    content = document(Study(prepare(table, registry), title, registry), RunFacts(name=title))
    return [*write_long_tables(content, out), *_DOCUMENTS[name](content, out)]
