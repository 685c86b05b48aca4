"""Where something comes from: a citation that reports and catalogues can print and export."""

import re
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """One bibliographic entry.

    Parameters
    ----------
    key : str
        BibTeX key, unique for the work, e.g. ``"huang2024attns"``.
    authors, title, where : str
        As they appear in print; ``where`` is journal, volume and pages, or publisher.
    year : int
    doi, url : str, optional
    """

    key: str
    authors: str
    title: str
    where: str
    year: int
    doi: str = ""
    url: str = ""

    def text(self) -> str:
        """One line for tables and tool tips."""
        tail = f" doi:{self.doi}" if self.doi else (f" {self.url}" if self.url else "")
        return f"{self.authors} ({self.year}). {self.title}. {self.where}.{tail}"

    def bibtex(self) -> str:
        """A BibTeX entry; ``@misc`` because the venue is kept as one string. Text in it is only text."""
        people = re.sub(r"\s*,?\s+and\s+|\s*,\s+", " and ", self.authors.strip())
        people = re.sub(r"\s+et al\.?$", " and others", people)
        fields = {
            "author": _escaped(people),
            "title": "{" + _escaped(self.title) + "}",
            "howpublished": _escaped(self.where),
            "year": str(self.year),
            "doi": _escaped(self.doi),
            "url": _escaped(self.url),
        }
        lines = ",\n".join(f"  {k} = {{{v}}}" for k, v in fields.items() if v)
        return f"@misc{{{re.sub(r'[^A-Za-z0-9:._-]+', '', self.key) or 'unnamed'},\n{lines}\n}}"


_SPECIAL = {
    "\\": r"\textbackslash ",
    "{": r"\textbraceleft ",
    "}": r"\textbraceright ",
    "~": r"\textasciitilde ",
    "^": r"\textasciicircum ",
    **{c: "\\" + c for c in "$&#%_"},
}
"""Commands without braces: BibTeX counts braces, escaped ones too."""


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in " ".join(text.split()))
