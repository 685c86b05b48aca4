"""A static site over many runs: plain files, no server; every number leads to its row and command."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from attns_core import AttnsError
from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.ranking import costs_at_errors
from attns_harness.analysis.study import Study
from attns_harness.reports.content import bibliography
from attns_harness.reports.facts import RunFacts
from attns_harness.reports.feed import write_feed
from attns_harness.reports.page import Link, Page, PageTable, render_page, row
from attns_harness.reports.summary import states
from attns_harness.reports.text import file_name
from attns_harness.reports.verdicts import verdicts
from attns_harness.reports.write import read_run, write_formats

ROWS = [
    "cell_id",
    "state",
    "reason",
    "problem",
    "series",
    "control",
    "seed",
    "error_l2_scaled",
    "diverged_fraction",
    "nfe",
    "operations",
    "time_min_s",
]
LEVELS = (1e-2, 1e-4, 1e-6, 1e-8, 1e-10)
"""Errors of the leaderboard."""


@final
@dataclass(frozen=True, eq=False)
class PublishedRun:
    """A run on the site: its folder there, and everything known about it; ``rows`` as stored."""

    slug: str
    study: Study
    facts: RunFacts
    rows: Frame


def publish(
    run_dirs: Sequence[Path], site: Path, *, registry: Any, formats: Sequence[str] = ("html", "csv")
) -> list[Path]:
    """Write the site and return its files.

    Raises
    ------
    AttnsError
        If two runs have the same name, or a folder holds no run.
    """
    runs = [_read(run, registry) for run in run_dirs]
    slugs = [run.slug for run in runs]
    for slug in slugs:
        if slugs.count(slug) > 1:
            raise AttnsError(f"two runs are called {slug!r}; rename one folder")
    written: list[Path] = []
    for run in runs:
        target = site / "runs" / run.slug
        written += write_formats(run.study, run.facts, run.rows, target, formats, registry)
        written.append(_write(target / "rows.html", _rows_page(run)))
    everything = pd.concat([r.study.table.assign(run=r.slug) for r in runs], ignore_index=True)
    for kind, folder, page in (("equation", "equations", _equation_page), ("solver", "solvers", _solver_page)):
        for name in sorted(everything[kind].unique()) if len(everything) else ():
            rows = everything[everything[kind] == name]
            written.append(_write(site / folder / f"{file_name(name)}.html", page(name, rows, registry)))
    written.append(_write(site / "leaderboard.html", _leaderboard(runs, registry)))
    written.append(_write(site / "index.html", _index(runs, everything)))
    written.append(_references(site / "references.bib", runs))
    written.append(write_feed(site / "feed.json", [(r.slug, r.facts.title or r.facts.name, r.study) for r in runs]))
    _forget_others(site, written)
    return written


def _read(run_dir: Path, registry: Any) -> PublishedRun:
    study, facts, rows = read_run(run_dir, registry)
    return PublishedRun(file_name(facts.name), study, facts, rows)


def _write(path: Path, page: Page) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(page), encoding="utf-8")
    return path


def _nav(up: str) -> tuple[Link, ...]:
    return (Link("Overview", f"{up}index.html"), Link("Leaderboard", f"{up}leaderboard.html"))


def _index(runs: Sequence[PublishedRun], everything: Frame) -> Page:
    listed = [
        row([Link(r.facts.title or r.facts.name, f"runs/{r.slug}/report.html"), len(r.study.table),
             ", ".join(f"{n} {s}" for s, n in states(r.study.table).items()), " ".join(verdicts(r.study)[1:4])])
        for r in runs
    ]  # fmt: skip
    tables = [
        PageTable(name="runs", caption="Runs", columns=("run", "cells", "states", "verdicts"), rows=tuple(listed))
    ]
    for kind in ("equation", "solver"):
        rows = []
        for name, group in everything.groupby(kind):
            link = Link(str(name), f"{kind}s/{file_name(str(name))}.html")
            rows.append(row([link, len(group), int(group["ok"].sum()), group["run"].nunique()]))
        tables.append(
            PageTable(name=f"{kind}s", caption=f"{kind.capitalize()}s", columns=(kind, "cells", "ok", "runs"),
                      rows=tuple(rows))
        )  # fmt: skip
    nav = (*_nav(""), Link("Changes (JSON feed)", "feed.json"), Link("Sources (BibTeX)", "references.bib"))
    return Page(title="AttNS results", nav=nav, tables=tuple(tables), feed="feed.json")


def _rows_page(run: PublishedRun) -> Page:
    table = run.study.table
    rows = tuple(
        row([getattr(r, name) for name in ROWS], anchor=f"c-{file_name(r.cell_id)}") for r in table.itertuples()
    )
    return Page(
        title=f"Rows of {run.facts.title or run.facts.name}", nav=(Link("Report", "report.html"), *_nav("../../")),
        text=("All of it comes from:", *run.facts.commands),
        tables=(PageTable(name="rows", caption="Every cell", columns=tuple(ROWS), rows=rows),),
    )  # fmt: skip


def _evidence(rows: Frame) -> tuple[PageTable, ...]:
    """Results of an equation or a solver everywhere: one line per run, problem and series, at its best step."""
    found = []
    for (run, problem, series), group in rows.groupby(["run", "problem", "series"]):
        best = group[group["ok"] & group["error_l2_scaled"].notna()].sort_values("error_l2_scaled").head(1)
        lost = ", ".join(f"{n} {s}" for s, n in states(group[~group["ok"]]).items())
        values = [None, None, None]
        place = f"../runs/{run}/rows.html"
        if len(best):
            values = [best["error_l2_scaled"].iloc[0], best["nfe"].iloc[0], best["time_per_trajectory_s"].iloc[0]]
            place += f"#c-{file_name(best['cell_id'].iloc[0])}"
        found.append(
            row([problem, series, Link(run, f"../runs/{run}/report.html"), len(group), lost, *values,
                 Link("row", place)])
        )  # fmt: skip
    columns = ("problem", "solver", "run", "cells", "not ok", "smallest error (l2, scaled)", "rhs evaluations",
               "time per trajectory (s)", "evidence")  # fmt: skip
    return (PageTable(name="results", caption="Results", columns=columns, rows=tuple(found)),)


def _equation_page(name: str, rows: Frame, registry: Any) -> Page:
    text, formula = [], ()
    if name in registry.names("equation"):
        from attns_harness.catalogue.formula import formula_rows

        equation = registry.get("equation", name)
        formula = tuple(formula_rows(equation))
        text = [equation.description, f"Source: {equation.citation.text()}", _origin(registry, "equation", name)]
    return Page(title=name, nav=_nav("../"), text=tuple(text), formula=formula, tables=_evidence(rows))


def _solver_page(name: str, rows: Frame, registry: Any) -> Page:
    text = []
    for kind in ("solver", "method", "corrector"):
        for part in sorted(set(rows[kind]) & set(registry.names(kind))):
            found = registry.get(kind, part)
            citation = getattr(found, "citation", None)
            source = f" Source: {citation.text()}" if citation is not None else ""
            text.append(f"{kind} {part}: {getattr(found, 'title', part)}.{source} {_origin(registry, kind, part)}")
    return Page(title=name, nav=_nav("../"), text=tuple(text), tables=_evidence(rows))


def _origin(registry: Any, kind: str, name: str) -> str:
    owner = registry.owner(kind, name)
    return f"Plugin {owner.name} ({owner.origin})."


def _leaderboard(runs: Sequence[PublishedRun], registry: Any) -> Page:
    """Cheapest solver at each error, by regime (the equation's tags), run and problem."""
    regimes: dict[str, list[Any]] = {}
    for run in runs:
        study = run.study
        for (problem, level), costs in costs_at_errors(
            study.points, error=study.error, cost=study.cost, levels=LEVELS
        ).iterrows():
            if not (costs < float("inf")).any():
                continue
            winner = costs.idxmin()
            table = run.study.table
            mine = table[(table["problem"] == problem) & (table["series"] == winner) & table["ok"]]
            near = mine[mine[run.study.error] <= level].sort_values(run.study.error, ascending=False).head(1)
            place = f"runs/{run.slug}/rows.html" + (f"#c-{file_name(near['cell_id'].iloc[0])}" if len(near) else "")
            line = row([problem, f"{level:.0e}", winner, Link(f"{costs[winner]:.3g}", place), run.study.cost,
                        Link(run.facts.title or run.facts.name, f"runs/{run.slug}/report.html")])  # fmt: skip
            for regime in _regimes(mine["equation"].iloc[0] if len(mine) else "", registry):
                regimes.setdefault(regime, []).append(line)
    columns = ("problem", "error at most", "cheapest", "cost per trajectory", "cost in", "run")
    tables = [
        PageTable(name=file_name(regime), caption=f"Regime: {regime}", columns=columns, rows=tuple(lines))
        for regime, lines in sorted(regimes.items())
    ]
    text = (
        "The cheapest solver of each run that reaches an error in every seed, by log-log interpolation on its "
        "work-precision curve; costs of different runs compare only on the same machine. A cost leads to the "
        "measured row next to it, and from there to the command that made it.",
    )
    return Page(title="Leaderboard", nav=_nav(""), text=text, tables=tuple(tables))


def _regimes(equation: str, registry: Any) -> list[str]:
    tags = registry.get("equation", equation).tags if equation in registry.names("equation") else frozenset()
    return sorted(tags - {"paper"}) or ["other"]


def _references(path: Path, runs: Sequence[PublishedRun]) -> Path:
    """BibTeX of everything that took part in any run."""
    found = {citation.key: citation for run in runs for citation in bibliography(run.study)}
    path.write_text("\n\n".join(found[key].bibtex() for key in sorted(found)) + "\n", encoding="utf-8")
    return path


def _forget_others(site: Path, written: Sequence[Path]) -> None:
    """Remove what an earlier publication wrote here and this one did not; other files are left alone."""
    manifest = site / "files.txt"
    now = sorted({path.relative_to(site).as_posix() for path in written})
    before = manifest.read_text(encoding="utf-8").splitlines() if manifest.is_file() else []
    for name in set(before) - set(now):
        path = site / name
        if path.resolve().is_relative_to(site.resolve()):
            path.unlink(missing_ok=True)
    manifest.write_text("\n".join(now) + "\n", encoding="utf-8")
