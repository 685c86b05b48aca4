"""LaTeX: booktabs tables and PDF figures in a document that plain pdflatex compiles, and BibTeX."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from attns_harness.reports.document import Document, Section, Table
from attns_harness.reports.figures import render
from attns_harness.reports.headings import displayed
from attns_harness.reports.text import Interval, number, visible

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}
_ROWS = 25
"""Rows of a table in print; all of them are in the CSV beside."""
_POWER = re.compile(r"(-?[\d.]+)e([+-]\d+)")
_FORBIDDEN = (
    "\\input",
    "\\include",
    "\\write",
    "\\open",
    "\\read",
    "\\def",
    "\\catcode",
    "\\csname",
    "\\end{",
    "^^",
    "%",
)
"""A formula has no business with files, definitions or the document's end."""

_PREAMBLE = r"""\documentclass[10pt]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage[margin=2cm]{geometry}
\usepackage{amsmath,booktabs,graphicx}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt}
\begin{document}
"""


def escape(text: object) -> str:
    """Plain text for LaTeX; what plain pdflatex cannot set becomes its nearest ASCII, or a question mark."""
    known = []
    for c in visible(text):
        if c in _SPECIAL:
            known.append(_SPECIAL[c])
        elif ord(c) < 128:
            known.append(c)
        else:
            ascii_ = unicodedata.normalize("NFKD", c).encode("ascii", "ignore").decode()
            known.append("".join(_SPECIAL.get(a, a) for a in ascii_) or "?")
    return "".join(known)


def latex_table(table: Table) -> str:
    """A booktabs ``tabular``; the best value of a column in bold, missing values as a dash."""
    shown = displayed(table, _ROWS)
    lines = [r"\begin{tabular}{" + "".join("r" if n else "l" for n in shown.numeric) + "}", r"\toprule"]
    lines += [" & ".join(escape(h) for h in shown.headings) + r" \\", r"\midrule"]
    for row in shown.rows:
        cells = [_cell(e.value) for e in row]
        lines.append(" & ".join(rf"\textbf{{{c}}}" if e.best else c for e, c in zip(row, cells, strict=True)) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _cell(value: object) -> str:
    """A value as LaTeX: numbers with a power of ten, missing ones as a dash."""
    if isinstance(value, Interval):
        return f"[{_cell(value.low)}, {_cell(value.high)}]"
    text = _cut(number(value))
    found = _POWER.fullmatch(text) if isinstance(value, float | np.floating) else None
    if found is not None:
        return rf"${found[1]}\!\times\!10^{{{int(found[2])}}}$"
    return {"inf": r"$\infty$", "-inf": r"$-\infty$"}.get(text) or escape(text) or "--"


def write_latex(document: Document, out: Path) -> list[Path]:
    """``report.tex``, one ``.tex`` per table and one PDF per figure to include elsewhere, ``references.bib``."""
    folder = out / "latex"
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    body = [rf"\section*{{{escape(document.title)}}}", escape(document.description) + "\n", *_items(document.lead)]
    for section in document.sections:
        body += _section(section, folder, written)
    bib = folder / "references.bib"
    bib.write_text("\n\n".join(_settable(c.bibtex()) for c in document.bibliography) + "\n", encoding="utf-8")
    if document.bibliography:
        body += [r"\nocite{*}", r"\bibliographystyle{plain}", r"\bibliography{references}"]
    path = folder / "report.tex"
    path.write_text(_PREAMBLE + "\n".join(body) + "\n\\end{document}\n", encoding="utf-8")
    return [*written, bib, path]


def _settable(text: str) -> str:
    """Letters of the Latin alphabets stay (plain pdflatex knows them); others become ASCII or a question mark."""
    return "\n".join(
        "".join(c if ord(c) < 0x180 else unicodedata.normalize("NFKD", c).encode("ascii", "ignore").decode() or "?"
                for c in visible(line))
        for line in text.splitlines()
    )  # fmt: skip


def _items(lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return [r"\begin{itemize}", *(rf"\item {escape(line)}" for line in lines), r"\end{itemize}"]


def _section(section: Section, folder: Path, written: list[Path]) -> list[str]:
    parts = [rf"\section*{{{escape(section.title)}}}", *(escape(line) + "\n" for line in section.text)]
    if section.formula and any(command in row for row in section.formula for command in _FORBIDDEN):
        parts += [escape(row) + "\n" for row in section.formula]
    elif section.formula:
        parts.append("\\begin{align*}\n" + " \\\\\n".join(section.formula) + "\n\\end{align*}")
    parts += _items(section.findings)
    for figure in section.figures:
        path = folder / f"{figure.name}.pdf"
        path.write_bytes(render(figure.draw(), "pdf"))
        written.append(path)
        parts += [
            r"\begin{center}",
            rf"\includegraphics[width=0.8\linewidth,height=0.7\textheight,keepaspectratio]{{{{{path.stem}}}.pdf}}\\",
            rf"{{\small {escape(figure.caption)}}}",
            r"\end{center}",
        ]
    for table in section.tables:
        path = folder / f"{section.name}-{table.name}.tex"
        path.write_text(latex_table(table) + "\n", encoding="utf-8")
        written.append(path)
        parts += [rf"\paragraph{{{escape(table.caption)}}}\mbox{{}}\\[2pt]"]
        parts += [rf"\resizebox{{\ifdim\width>\linewidth\linewidth\else\width\fi}}{{!}}{{\input{{{path.name}}}}}"]
        parts.append(escape(table.cut(_ROWS)[1]))
    return [p + "\n" for p in parts]


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."
