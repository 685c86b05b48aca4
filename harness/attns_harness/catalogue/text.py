"""Text of plugins as Markdown: shown, never interpreted."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

from attns_core.citation import Citation

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$])")


def escape(text: object) -> str:
    """Plain text on one line; nothing in it is markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def code(text: object) -> str:
    """A code span; backticks, which would end it, become apostrophes."""
    return "`" + " ".join(str(text).split()).replace("`", "'").replace("|", "\\|") + "`"


def prose(text: object) -> str:
    """Text in which only `code` between backticks is markup."""
    pieces = re.split(r"`+([^`]*)`+", str(text))
    return "".join(code(piece) if i % 2 else _SPECIAL.sub(r"\\\1", piece) for i, piece in enumerate(pieces)).strip()


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A pipe table of cells that are Markdown already."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def number(value: Any) -> str:
    """A parameter's value; long lists by their length and range."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.12g}"
    values = list(value)
    if len(values) <= 8:
        return "[" + ", ".join(f"{v:.6g}" for v in values) + "]"
    return f"{len(values)} numbers from {min(values):.4g} to {max(values):.4g}"


def source(citation: Citation | None) -> list[str]:
    """The section that says where something comes from, with its BibTeX entry."""
    if citation is None:
        return []
    return ["## Source", escape(citation.text()), f"```bibtex\n{citation.bibtex().replace('```', '')}\n```"]


def summary(thing: Any) -> str:
    """First paragraph of a docstring, or nothing."""
    doc = inspect.getdoc(thing) or ""
    return prose(doc.split("\n\n")[0]) if doc else ""


def join(title: str, parts: Iterable[str]) -> str:
    """A page: a heading and its paragraphs."""
    return "\n\n".join([f"# {escape(title)}", *(p for p in parts if p)]) + "\n"
