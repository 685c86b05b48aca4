"""Verdicts in plain words, the unfavourable ones too."""

import math

from attns_harness.analysis.claims import claims
from attns_harness.analysis.frames import Frame
from attns_harness.analysis.study import Study
from attns_harness.reports.regime_sections import regime_lines
from attns_harness.reports.selection import leaders
from attns_harness.reports.summary import states

MOST_SENTENCES = 6
"""Compared series of one problem that get a sentence each, and names in one sentence."""
_UNIT = {"time": "time", "operations": "operations", "nfe": "right-hand-side evaluations", "steps": "steps"}
_UNTIMED = {
    "operations": "No cell was timed: the comparisons that follow count floating-point operations, those of evaluating "
    "a corrector included. Operations are not seconds.",
    "nfe": "No cell was timed or has its operations counted: the comparisons that follow count right-hand-side "
    "evaluations and leave out what evaluating a corrector costs.",
}


def verdicts(study: Study) -> tuple[str, ...]:
    """The headlines, one sentence each: what ran, the paper's claims, how each problem went, what to beware of."""
    table = study.table
    if table.empty:
        return ("The run has no cells.",)
    counted = ", ".join(f"{n} {state}" for state, n in states(table).items())
    lines = [f"{len(table)} {'cell' if len(table) == 1 else 'cells'}: {counted}."]
    if not table["ok"].any():
        return (*lines, "No cell finished: there is nothing to compare.")
    lines += _claims(study.table)
    if len(study.regimes):
        lines += regime_lines(study)
    elif study.equal_error.empty:
        lines += _classical(study)
    else:
        if study.terms.cost is not None:
            lines.append(f"The comparisons that follow are by {_UNIT[study.cost]}, as was asked for.")
        elif study.cost in _UNTIMED:
            lines.append(_UNTIMED[study.cost])
        if study.not_counted:
            lines.append(f"Left out, because their {_UNIT[study.cost]} are not known: {_listed(study.not_counted)}.")
        for problem, rows in study.equal_error.groupby("problem", sort=False):
            lines.append(_problem(str(problem), rows, _UNIT[study.cost]))
    failing = [check.name for check in study.fairness if check.passed is False]
    if failing:
        lines.append(f"{len(failing)} of {len(study.fairness)} fairness checks fail: read them before quoting numbers.")
    return tuple(lines)


def findings(study: Study, problem: str) -> tuple[str, ...]:
    """A sentence per compared series of one problem; of many, for the best of each corrector."""
    rows = study.equal_error
    rows = rows[rows["problem"] == problem] if len(rows) else rows
    groups = dict(list(rows.groupby("series", sort=False))) if len(rows) else {}
    if len(groups) > MOST_SENTENCES:
        order = leaders(study.points, problem, error=study.error, cost=study.cost)
        groups = {name: groups[name] for name in [n for n in order if n in groups][:MOST_SENTENCES]}
    return tuple(f"{name} {_against(group, _UNIT[study.cost])}" for name, group in groups.items())


def _claims(table: Frame) -> list[str]:
    """The claims of the AttNS paper that the run tests, where it has the three solvers that they are about."""
    if not {"attns", "neurvec", "none"} <= set(table["corrector"]) or "corrector_options" not in table:
        return []
    tested = [c for c in claims(table) if not c.evidence.empty]
    return [f"The AttNS paper's claim \u201c{c.claim.rstrip('.')}\u201d: {c.verdict}" for c in tested]


def _problem(problem: str, rows: Frame, unit: str) -> str:
    """Counts over all compared series of a problem, and the largest saving that an interval supports."""
    groups = [group for _, group in rows.groupby("series", sort=False)]
    cheaper, dearer = sum(len(_sure(g)) > 0 for g in groups), sum(len(_lost(g)) > 0 for g in groups)
    never = sum(bool((g["status"] == "not reached").all()) for g in groups)
    alone = sum(bool((g["status"] == "baseline not reached").any()) for g in groups)
    text = (
        f"{problem}: of {len(groups)} compared solvers {cheaper} need less {unit} than the cheapest classical one at "
        f"one error or more, {dearer} need more, {never} reach none of the errors"
    )
    if alone:
        text += f", {alone} reach one that no classical solver of the run reaches"
    sure = _sure(rows)
    if len(sure):
        best = sure.loc[sure["ratio"].idxmax()]
        least = "at least " if best["status"] == "at least" else ""
        text += (
            f"; largest saving: {best['series']}, {least}{best['ratio']:.3g} times less at error {best['error']:.0e} "
            f"(against {best['baseline']}; {_interval(best)})"
        )
    return text + "."


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MOST_SENTENCES]) + (
        f" and {len(names) - MOST_SENTENCES} more" if len(names) > MOST_SENTENCES else ""
    )


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
            f"{best['ratio']:.3g} times less ({bound}{_interval(best)}, against {best['baseline']} at error "
            f"{best['error']:.0e})"
        )
    if len(lost):
        worst = lost.loc[lost["ratio"].idxmin()]
        text.append(
            f"needs more at {len(lost)} of {len(rows)} errors, at worst {1 / worst['ratio']:.3g} times more "
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
    return f"95 % interval {row['low']:.3g} to {row['high']:.3g} over {row['seeds']} seeds"
