"""The sections of a report on a study with regimes: the map, its table, and what the learned term should read."""

from functools import partial

import numpy as np

from attns_harness.analysis.frames import Frame
from attns_harness.analysis.inputs import verdict
from attns_harness.analysis.study import Study
from attns_harness.reports.document import Figure, Section, Table
from attns_harness.reports.regime_map import map_figure


def regime_sections(study: Study) -> list[Section]:
    """Nothing for a run whose matrix names no regimes."""
    return [*_regimes(study.regimes), *_inputs(study.inputs)]


def regime_lines(study: Study) -> list[str]:
    """One sentence per regime and level, unfavourable ones too, and the answer on inputs."""
    rows = study.regimes
    return [sentence(row) for row in rows.to_dict("records")] + list(verdict(study.inputs))


def sentence(row: dict[str, object]) -> str:
    """A comparison in words."""
    where = f"{row['regime']} at error {row['error']:.0e}"
    if row["verdict"] == "not reached":
        return f"{where}: no learned step delivers it with every seed; loss."
    if row["verdict"] == "classical does not reach it":
        other = "classical solver" if row["bar"] == "fastest classical" else str(row["bar"])
        return f"{where}: {row['learned']} delivers it, no {other} does at the steps that were timed."
    low, high = row["low"], row["high"]
    spread = "" if low is None or np.isnan(float(str(low))) else f" [{low:.3g}, {high:.3g}]"
    aim = "" if row["met"] == "" else f", target {row['target']:g}: {'met' if row['met'] == 'yes' else row['met']}"
    even = float(str(row["break_even"]))
    pays = f"break-even {even:.1e} trajectories" if np.isfinite(even) else "never breaks even"
    first = row.get("quickest_break_even")
    if isinstance(first, float) and first < even:
        pays += f" ({first:.1e} at {row['quickest_ratio']:.3g} times for the cell that repays its training first)"
    return (
        f"{where}: {row['verdict']}, {row['ratio']:.3g}{spread} times {_bar(row)} "
        f"({row['ratio_p99']:.3g} at equal 99th percentile), {pays}{aim}."
    )


def _bar(row: dict[str, object]) -> str:
    return str(row["classical"] if row["bar"] == "fastest classical" else row["bar"])


def _regimes(rows: Frame) -> list[Section]:
    if rows.empty:
        return []
    own = rows[rows["bar"] == "fastest classical"]
    wins = int((own["verdict"] == "win").sum())
    figure = Figure(
        name="regime-map",
        caption="Each point is a comparison at equal error; its number names the regime, beside it the ratio of times "
        "and the error. Dotted: equal classical time per learned step.",
        alt=f"Map of {len(own)} comparisons over the time of a right-hand side and the number of them that one learned "
        f"step replaces: {wins} wins of the learned step. The table has the numbers.",
        draw=partial(map_figure, rows),
        short=True,
    )
    table = Table(
        name="regimes",
        caption="Time of the fastest classical solver over the learned one's at equal error (above 1: the learned one "
        "is faster), with 95 % intervals over training seeds; times in ns per trajectory",
        frame=rows.drop(columns="problem"),
        best={},
    )
    return [Section(name="regimes", title="Regimes", figures=(figure,), tables=(table,), short=True)]


def _inputs(rows: Frame) -> list[Section]:
    if rows.empty:
        return []
    table = Table(
        name="inputs",
        caption="Error of every input over that of the state u, at equal network and data (below 1: better)",
        frame=rows.drop(columns="recipe"),
    )
    return [
        Section(name="inputs", title="What the learned term reads", text=verdict(rows), tables=(table,), short=True)
    ]
