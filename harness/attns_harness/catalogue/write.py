"""Writing the catalogue: a folder of Markdown pages and an index."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attns_core.registry import Registry
from attns_harness.catalogue.equation import equation_page
from attns_harness.catalogue.formula import formula_rows, formula_svg
from attns_harness.catalogue.pages import corrector_page, method_page, metric_page, plain_page
from attns_harness.catalogue.text import code, escape, join, table

PAGES: dict[str, Callable[[Any], str]] = {
    "method": method_page,
    "corrector": corrector_page,
    "metric": metric_page,
}
"""Page of a kind of thing; other kinds get :func:`plain_page`."""


def write_catalogue(registry: Registry, folder: str | Path) -> list[Path]:
    """Write one page for everything registered, formulas as SVG, and ``index.md``.

    Parameters
    ----------
    registry : Registry
    folder : path
        Created where missing; files of the same names are replaced.

    Returns
    -------
    list of Path
        Every file written, the index first.
    """
    folder = Path(folder)
    written: list[Path] = []
    sections: list[str] = []
    for kind in registry.kinds:
        rows = []
        for thing in registry.all(kind.name):
            page = folder / f"{kind.name}s" / f"{file_name(thing.name)}.md"
            page.parent.mkdir(parents=True, exist_ok=True)
            written += _write_equation(thing, page) if kind.name == "equation" else _write(thing, page, kind.name)
            origin = registry.owner(kind.name, thing.name).origin
            link = f"[{escape(thing.name)}]({page.relative_to(folder).as_posix()})"
            rows.append((link, escape(getattr(thing, "title", "")), code(origin)))
        if rows:
            sections += [f"## {kind.name.capitalize()}s", table(("name", "title", "from"), rows)]
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "index.md"
    index.write_text(join("Catalogue", ["Everything registered, generated from its metadata.", *sections]), "utf-8")
    return [index, *written]


def file_name(name: str) -> str:
    """A safe file name: letters, digits, dot, dash; nothing that is a path."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip(".-")[:80] or "unnamed"


def _write_equation(equation: Any, page: Path) -> list[Path]:
    image = page.with_suffix(".svg")
    drawn = formula_svg(formula_rows(equation))
    page.write_text(equation_page(equation, image=image.name if drawn else None), "utf-8")
    if drawn is None:
        return [page]
    image.write_bytes(drawn)
    return [page, image]


def _write(thing: Any, page: Path, kind: str) -> list[Path]:
    page.write_text(PAGES.get(kind, plain_page)(thing), "utf-8")
    return [page]
