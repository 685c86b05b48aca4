"""The sections of a report that hold for the whole run: ranking, stability, fairness, failures, provenance."""

from functools import partial
from typing import Any

from attns_harness.analysis.frames import pd
from attns_harness.analysis.stable_steps import stability_function
from attns_harness.analysis.study import Study
from attns_harness.reports.document import Figure, Section, Table
from attns_harness.reports.facts import RunFacts
from attns_harness.reports.figures import profile_figure
from attns_harness.reports.selection import MOST_SERIES, others
from attns_harness.reports.stability_figure import stability_figure
from attns_harness.reports.style import Look, looks
from attns_harness.reports.summary import failures, states


def ranking(study: Study, drawn: dict[str, Look]) -> list[Section]:
    """Performance profiles and wins over all pairs of problem and error."""
    if study.costs.empty:
        return []
    shown = study.profile.sort_values("solved", ascending=False, kind="stable").head(MOST_SERIES).index
    more = others(len(shown), len(study.profile))
    levels = f"{len(study.costs)} pairs of problem and error"
    figure = Figure(
        name="performance-profile", caption=f"Performance profiles{' of those that solve most' if more else ''}.{more}",
        alt=f"Performance profiles of {len(shown)} solvers over {levels}: share of pairs solved within a "
        f"factor of the cheapest.{more}",
        draw=partial(profile_figure, study.profile.loc[sorted(shown)], drawn),
    )  # fmt: skip
    tables = [
        Table(name="profile", caption="Share of pairs solved within a factor of the cheapest; solved: at any cost",
              frame=study.profile.reset_index(names="solver").sort_values("solved", ascending=False,
                                                                          ignore_index=True)),
    ]  # fmt: skip
    if len(study.ranking):
        tables.append(
            Table(name="wins", caption="Against the cheapest classical solver at equal error; ratio: geometric mean "
                  "of its cost over the solver's own", frame=study.ranking)
        )  # fmt: skip
    text = (f"Over {levels}; what a solver does not reach costs infinity (Dolan and More, 2002).",)
    return [Section(name="ranking", title="Ranking", text=text, figures=(figure,), tables=tuple(tables))]


def stability(study: Study, known: dict[str, Look]) -> list[Section]:
    """Intervals and regions of absolute stability of the methods, and the largest stable steps of the run."""
    intervals = study.stability if study.terms.stability else pd.DataFrame()
    steps = study.stable_steps.dropna(axis=1, how="all")
    tables, figures = [], []
    if len(intervals):
        tables.append(
            Table(name="stability", caption="Stable part of the negative real axis and of the imaginary axis, as "
                  "lengths of dt times the eigenvalue; inf: beyond 1000", frame=intervals)
        )  # fmt: skip
        methods = {n: study.registry.method(n) for n in intervals["solver"]}
        drawn = {n: f for n, m in methods.items() if (f := stability_function(m)) is not None}
        if drawn:
            shown = list(drawn)[:MOST_SERIES]
            figures.append(
                Figure(
                    name="stability-regions",
                    caption=f"Boundaries of the regions of absolute stability, dt times eigenvalue."
                    f"{others(len(shown), len(drawn))}",
                    alt=f"Boundaries of the regions of absolute stability of {', '.join(shown)}; the table has their "
                    "lengths on both axes.",
                    draw=partial(stability_figure, {n: drawn[n] for n in shown}, known | looks(shown, set())),
                )
            )
    if len(steps) and {"stable_dt", "unstable_dt", "largest_stable_dt"} & set(steps):
        found = "; largest_stable_dt: by bisection" if "largest_stable_dt" in steps else ""
        tables.append(
            Table(name="stable-steps", caption="Largest step of the run without a diverged trajectory, smallest with "
                  f"one{found}", frame=steps)
        )  # fmt: skip
    if not tables:
        return []
    return [Section(name="stability", title="Stability", tables=tuple(tables), figures=tuple(figures))]


def fairness(study: Study) -> Section:
    """Every check of the study on itself."""
    frame = pd.DataFrame(
        [{"check": c.name, "verdict": c.verdict, "finding": c.finding, "rows": _failing(c)} for c in study.fairness]
    )
    return Section(
        name="fairness", title="Fairness", short=True,
        text=("The study checks itself; rows that fail a check are named.",),
        tables=(Table(name="checks", caption="Fairness checks", frame=frame),),
    )  # fmt: skip


def _failing(check: Any) -> str:
    more = f" and {check.failing - 5} more" if check.failing > 5 else ""
    return ", ".join(check.rows[:5]) + more


def failed(study: Study) -> list[Section]:
    """Cells without a complete result."""
    lost = failures(study.table)
    if lost.empty:
        return []
    counted = ", ".join(f"{n} {state}" for state, n in states(study.failures).items())
    return [
        Section(
            name="failures", title="What did not end ok",
            text=(f"{len(study.failures)} of {len(study.table)} cells: {counted}.",),
            tables=(Table(name="failures", caption="Cells without a complete result, by state and reason",
                          frame=lost.reset_index(drop=True)),),
        )
    ]  # fmt: skip


def provenance(study: Study, facts: RunFacts) -> Section:
    """Versions, machines, packages and plugins that the numbers come from, and the commands that repeat them."""
    names = [n for n in ("attns_version", "git_commit", "python_version", "numba_version", "cpu") if n in study.table]
    rows = [{"what": n, "value": ", ".join(sorted({str(v) for v in study.table[n].dropna()}))} for n in names]
    for key, environment in (facts.environments or {}).items():
        machine, packages = environment.get("machine", {}), environment.get("packages", {})
        rows.append(
            {
                "what": f"machine {key}",
                "value": ", ".join(f"{k} {v}" for k, v in machine.items() if v and k != "cpu_flags"),
            }
        )
        rows.append({"what": f"packages {key}", "value": ", ".join(f"{k} {v}" for k, v in packages.items())})
        plugins = environment.get("plugins", {})
        rows.append({"what": f"plugins {key}", "value": ", ".join(f"{k} ({v})" for k, v in plugins.items())})
    rows += [{"what": "to reproduce", "value": command} for command in facts.commands]
    return Section(
        name="provenance", title="Provenance", code=facts.matrix,
        tables=(Table(name="provenance", caption="Where these numbers come from", frame=pd.DataFrame(rows)),),
    )  # fmt: skip
