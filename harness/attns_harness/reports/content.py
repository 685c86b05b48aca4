"""The content of a report on a run: which sections, tables and figures it has."""

from typing import Any

from attns_harness.analysis.study import Study
from attns_harness.reports.document import Document
from attns_harness.reports.facts import RunFacts
from attns_harness.reports.problem_section import problem_section
from attns_harness.reports.regime_sections import regime_sections
from attns_harness.reports.run_sections import failed, fairness, provenance, ranking, stability
from attns_harness.reports.selection import named
from attns_harness.reports.style import COLOURS, MARKERS, Look, looks
from attns_harness.reports.verdicts import verdicts

MOST_LOOKS = len(COLOURS) * len(MARKERS)
"""Beyond this many series looks repeat."""


def document(study: Study, facts: RunFacts) -> Document:
    """Everything a report shows: verdicts, then each problem, then what holds for the whole run."""
    first = {problem: _named(study, problem) for problem in study.points.problems}
    drawn = _looks(study, first)
    return Document(
        title=study.title,
        subtitle="" if study.title == facts.name else facts.name,
        description=facts.description,
        lead=verdicts(study),
        sections=(
            *regime_sections(study),
            *(problem_section(study, problem, first[problem], drawn, facts) for problem in study.points.problems),
            *ranking(study, drawn),
            *stability(study, drawn),
            fairness(study),
            *failed(study),
            provenance(study, facts),
        ),
        bibliography=bibliography(study),
    )


def _looks(study: Study, first: dict[str, list[str]]) -> dict[str, Look]:
    """A look for every series; those that diagrams name are told apart first."""
    everything = study.points.series()
    shown = {name for names in first.values() for name in names}
    return looks(everything, study.learned) | (looks(shown, study.learned) if len(everything) > MOST_LOOKS else {})


def _named(study: Study, problem: str) -> list[str]:
    return named(study.points, problem, error=study.error, cost=study.cost)


def bibliography(study: Study) -> tuple[Any, ...]:
    """Citations of every equation, method, corrector, solver and metric that took part, by key."""
    if study.registry is None:
        return ()
    used = [("equation", "equation"), ("method", "method"), ("corrector", "corrector"), ("solver", "solver")]
    found: dict[str, Any] = {}
    for kind, column in used:
        for name in sorted(set(study.table[column]) & set(study.registry.names(kind))):
            citation = getattr(study.registry.get(kind, name), "citation", None)
            if citation is not None:
                found[citation.key] = citation
    for metric in study.registry.all("metric"):
        if metric.citation is not None and any(c in study.table and study.table[c].notna().any()
                                               for c in metric.columns):  # fmt: skip
            found[metric.citation.key] = metric.citation
    return tuple(found[key] for key in sorted(found))
