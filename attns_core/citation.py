"""Where something comes from: a citation that reports and catalogues can print and export."""

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
        """A BibTeX entry; ``@misc`` because the venue is kept as one string."""
        fields = {
            "author": self.authors,
            "title": "{" + self.title + "}",
            "howpublished": self.where,
            "year": str(self.year),
            "doi": self.doi,
            "url": self.url,
        }
        lines = ",\n".join(f"  {k} = {{{v}}}" for k, v in fields.items() if v)
        return f"@misc{{{self.key},\n{lines}\n}}"
