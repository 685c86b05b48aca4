"""Verdicts in plain words, the unfavourable ones too."""

import math

from attns_harness.analysis.claims import claims
from attns_harness.analysis.frames import Frame
from attns_harness.analysis.study import Study
from attns_harness.reports.regime_sections import regime_lines
from attns_harness.reports.selection import leaders
from attns_harness.reports.summary import states

MOST_SENTENCES = 6
"""Compared series of one problem that get a sentence each."""
_UNIT = {"time": "time", "operations": "operations", "nfe": "right-hand-side evaluations"}
_UNTIMED = {
    "operations": "No cell was timed: the comparisons that follow count floating-point operations, those of evaluating "
    "a corrector included. Operations are not seconds.",
    "nfe": "No cell was timed or has its operations counted: the comparisons that follow count right-hand-side "
    "evaluations and leave out what evaluating a corrector costs.",
}


def verdicts(study: Study) -> tuple[str, ...]:
    """One sentence each: what ran, and for every compared series on every problem how it did."""
    table = study.table
    if table.empty:
        return ("The run has no cells.",)
    counted = ", ".join(f"{n} {state}" for state, n in states(table).items())
    lines = [f"{len(table)} cells: {counted}."]
    if not table["ok"].any():
        return (*lines, "No cell finished: there is nothing to compare.")
    lines += _claims(study.table)
    if len(study.regimes):
        lines += regime_lines(study)
    elif study.equal_error.empty:
        lines += _classical(study)
    else:
        if study.cost in _UNTIMED:
            lines.append(_UNTIMED[study.cost])
        if study.not_counted:
            lines.append(f"Left out, because their {_UNIT[study.cost]} are not known: {', '.join(study.not_counted)}.")
        for problem, rows in study.equal_error.groupby("problem", sort=False):
            lines += _compared(study, str(problem), rows)
    failing = [check.name for check in study.fairness if check.passed is False]
    if failing:
        lines.append(f"{len(failing)} of {len(study.fairness)} fairness checks fail: read them before quoting numbers.")
    return tuple(lines)


def _claims(table: Frame) -> list[str]:
    """The claims of the AttNS paper, where the run has the three solvers that they are about."""
    if not {"attns", "neurvec", "none"} <= set(table["corrector"]) or "corrector_options" not in table:
        return []
    return [f"The AttNS paper's claim \u201c{c.claim.rstrip('.')}\u201d: {c.verdict}" for c in claims(table)]


def _compared(study: Study, problem: str, rows: Frame) -> list[str]:
    """A sentence for every compared series; of many, counts of all and a sentence for the best of each corrector."""
    unit, groups = _UNIT[study.cost], dict(list(rows.groupby("series", sort=False)))
    lines = []
    if len(groups) > MOST_SENTENCES:
        cheaper = sum(len(_sure(g)) > 0 for g in groups.values())
        dearer = sum(len(_lost(g)) > 0 for g in groups.values())
        never = sum(bool((g["status"] == "not reached").all()) for g in groups.values())
        lines.append(
            f"{problem}: of {len(groups)} compared series {cheaper} need less {unit} than the cheapest classical "
            f"solver at one error or more, {dearer} need more at one or more, {never} reach none of the errors. "
            "The best of each corrector follow, all others are in the table of equal errors."
        )
        order = leaders(study.points, problem, error=study.error, cost=study.cost)
        groups = {name: groups[name] for name in [n for n in order if n in groups][:MOST_SENTENCES]}
    return [*lines, *(f"{problem}: {name} {_against(group, unit)}" for name, group in groups.items())]


def _sure(rows: Frame) -> Frame:
    """Rows in which the series is cheaper, the interval says so."""
    known = rows[rows["status"].isin(("ok", "at least"))]
    return known[known["low"].fillna(known["ratio"]) > 1]


def _lost(rows: Frame) -> Frame:
    known = rows[rows["status"].isin(("ok", "at most"))]
    return known[known["high"].fillna(known["ratio"]) < 1]


def _classical(study: Study) -> list[str]:
    lines = []
    for problem, rows in study.classical_best.groupby("problem", sort=False):
        reached = rows[rows["fastest"] != "none"]
        parts = [f"{r.fastest} at error {r.error:.0e}" for r in reached.itertuples()]
        if parts:
            lines.append(f"{problem}: cheapest in {_UNIT[study.cost]}: {_squeeze(parts)}.")
    return lines


def _squeeze(parts: list[str]) -> str:
    """First, middle and last of a long list."""
    return ", ".join(parts if len(parts) <= 3 else [parts[0], parts[len(parts) // 2], parts[-1]])


def _against(rows: Frame, unit: str) -> str:
    sure, lost = _sure(rows), _lost(rows)
    unreached = int((rows["status"] == "not reached").sum())
    alone = int((rows["status"] == "baseline not reached").sum())
    text = []
    if len(sure):
        best = sure.loc[sure["ratio"].idxmax()]
        bound = "or more; " if best["status"] == "at least" else ""
        text.append(
            f"needs less {unit} than the cheapest classical solver at {len(sure)} of {len(rows)} errors, at best "
            f"{best['ratio']:.2g} times less ({bound}{_interval(best)}, against {best['baseline']} at error "
            f"{best['error']:.0e})"
        )
    if len(lost):
        worst = lost.loc[lost["ratio"].idxmin()]
        text.append(
            f"needs more at {len(lost)} of {len(rows)} errors, at worst {1 / worst['ratio']:.2g} times more "
            f"(against {worst['baseline']} at error {worst['error']:.0e})"
        )
    if alone:
        text.append(f"reaches {alone} of {len(rows)} that no classical solver of the run reaches")
    if unreached:
        text.append(f"does not reach {unreached} of {len(rows)} errors")
    rest = len(rows) - len(sure) - len(lost) - alone - unreached
    if rest:
        text.append(f"cannot be told apart from the cheapest classical solver at {rest} of {len(rows)}")
    return "; ".join(text) + "."


def _interval(row: Frame) -> str:
    if row["low"] is None or math.isnan(row["low"]):
        return "one seed, no interval"
    return f"95 % interval {row['low']:.2g} to {row['high']:.2g} over {row['seeds']} seeds"
