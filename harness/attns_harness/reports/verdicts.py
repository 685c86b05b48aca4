"""Verdicts in plain words, the unfavourable ones too."""

import math

from attns_harness.analysis.frames import Frame
from attns_harness.analysis.study import Study
from attns_harness.reports.summary import states

_UNIT = {"time": "time", "nfe": "right-hand-side evaluations"}


def verdicts(study: Study) -> tuple[str, ...]:
    """One sentence each: what ran, and for every compared series on every problem how it did."""
    table = study.table
    if table.empty:
        return ("The run has no cells.",)
    counted = ", ".join(f"{n} {state}" for state, n in states(table).items())
    lines = [f"{len(table)} cells: {counted}."]
    if not table["ok"].any():
        return (*lines, "No cell finished: there is nothing to compare.")
    if study.equal_error.empty:
        lines += _classical(study)
    else:
        for (problem, series), rows in study.equal_error.groupby(["problem", "series"], sort=False):
            lines.append(f"{problem}: {series} {_against(rows, _UNIT[study.cost])}")
    failing = [check.name for check in study.fairness if check.passed is False]
    if failing:
        lines.append(f"{len(failing)} of {len(study.fairness)} fairness checks fail: read them before quoting numbers.")
    return tuple(lines)


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
    known = rows[rows["status"].isin(("ok", "at least", "at most"))]
    sure = known[(known["status"] != "at most") & (known["low"].fillna(known["ratio"]) > 1)]
    lost = known[(known["status"] != "at least") & (known["high"].fillna(known["ratio"]) < 1)]
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
