"""Writing the catalogue: a folder of Markdown pages and an index."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attns_core.equation import Equation
from attns_core.registry import Registry
from attns_harness.catalogue.equation import equation_page
from attns_harness.catalogue.formula import formula_rows, formula_svg
from attns_harness.catalogue.pages import corrector_page, method_page, metric_page, plain_page
from attns_harness.catalogue.picture import solution_svg
from attns_harness.catalogue.text import code, escape, join, table

PAGES: dict[str, Callable[[Any], str]] = {
    "method": method_page,
    "corrector": corrector_page,
    "metric": metric_page,
}
"""Page of a kind of thing; other kinds get :func:`plain_page`."""


def write_catalogue(registry: Registry, folder: str | Path, *, solutions: bool = True) -> list[Path]:
    """Write one page for everything registered, formulas as SVG, and ``index.md``.

    Parameters
    ----------
    registry : Registry
    folder : path
        Created where missing; files of the same names are replaced.
    solutions : bool
        Whether to solve every equation once and show a picture of its solution.

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
            if kind.name == "equation":
                written += _write_equation(thing, page, solutions)
            else:
                page.write_text(PAGES.get(kind.name, plain_page)(thing), "utf-8")
                written.append(page)
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


def _write_equation(equation: Equation, page: Path, solutions: bool) -> list[Path]:
    drawn = {"formula": formula_svg(formula_rows(equation))}
    if solutions:
        drawn["solution"] = solution_svg(equation)
    images = {what: page.with_name(f"{page.stem}-{what}.svg") for what, image in drawn.items() if image}
    for what, path in images.items():
        path.write_bytes(drawn[what] or b"")
    page.write_text(equation_page(equation, **{what: path.name for what, path in images.items()}), "utf-8")
    return [page, *images.values()]
