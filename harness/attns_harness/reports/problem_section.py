"""The section of a report about one problem: tables, diagrams, learning and training curves."""

from functools import partial
from typing import Any

from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.study import Study
from attns_harness.analysis.work_precision import COSTS, ERRORS
from attns_harness.reports.document import Figure, Section, Table
from attns_harness.reports.facts import RunFacts, Training
from attns_harness.reports.figures import explosion_figure, training_figure, work_precision_figure
from attns_harness.reports.learning_figure import FEW_SIZES, learning_figure
from attns_harness.reports.selection import MOST_SERIES, leaders, marked, others
from attns_harness.reports.style import Look, looks
from attns_harness.reports.summary import summary
from attns_harness.reports.text import file_name
from attns_harness.reports.trajectory_figure import STEPS, described, roles_of, trajectory_figure
from attns_harness.reports.verdicts import findings

FEW_PROBLEMS = 10
"""Beyond this many problems each has one work-precision diagram instead of three: pages stay readable."""


def problem_section(study: Study, problem: str, first: list[str], drawn: dict[str, Look], facts: RunFacts) -> Section:
    """Everything about one problem; series in ``first`` lead tables and are those that diagrams name."""
    rows = study.table[study.table["problem"] == problem]
    best = summary(rows, study.error)
    equation = _equation(study, rows)
    text, formula = (), ()
    if equation is not None:
        from attns_harness.catalogue.formula import formula_rows

        text = (equation.description, f"Source: {equation.citation.text()}")
        formula = tuple(formula_rows(equation))
    learning, learned_figures = _learning(study, problem)
    tables = [
        Table(name="accuracy", caption="Smallest error of every solver, geometric mean over seeds with its 95 % "
              "interval, and what it costs per trajectory",
              frame=best, best={"best error": "min"}),
        *_part(study.equal_error, problem, "equal-error", "Cost of the cheapest classical solver over the solver's "
               "own at equal error (above 1: cheaper), with 95 % intervals over seeds", first),
        *_part(study.equal_cost, problem, "equal-cost", "Error of the most accurate classical solver over the "
               "solver's own at equal cost (above 1: more accurate)", first),
        *_part(study.break_even if study.cost == "time" else pd.DataFrame(), problem, "break-even",
               "Trajectories after which data generation and training have paid for themselves; inf: never", first),
        *_part(study.classical_best, problem, "classical", "Cheapest classical solver at each error", first),
        *_part(_crossing(study), problem, "crossovers", "Errors at which the cheaper of two solvers changes: one is "
               "cheaper at larger errors, the other at smaller ones; 95 % intervals over seeds", first),
        *_part(study.orders, problem, "orders", "Observed order of convergence, with fit range and 95 % interval",
               first),
        *_part(_exploding(study), problem, "explosions", "Share of trajectories that diverge, with Wilson intervals",
               first),
        *_part(study.explosions_over_noise, problem, "explosions-noise",
               "Share of trajectories that diverge over the noise in the training data, with Wilson intervals", first),
        *learning,
    ]  # fmt: skip
    precision, explosions = _figures(study, problem, rows, best, first, drawn)
    figures = [
        *precision, *learned_figures, *_trajectories(study, problem, drawn, facts), *explosions,
        *_training(rows["equation"].iloc[0] if len(rows) else "", facts),
    ]  # fmt: skip
    return Section(
        name=file_name(problem), title=problem, text=text, findings=findings(study, problem), formula=formula,
        short=True, tables=tuple(tables), figures=tuple(figures),
    )  # fmt: skip


def _figures(
    study: Study, problem: str, rows: Frame, best: Frame, series: list[str], drawn: dict[str, Look]
) -> tuple[list[Figure], list[Figure]]:
    """Work-precision diagrams, and explosion curves."""
    stem = file_name(problem)
    wanted = [(study.error, study.cost)]
    several = len(study.points.problems) <= FEW_PROBLEMS
    wanted += [(study.error, "nfe")] if several and study.cost != "nfe" and rows["nfe"].notna().any() else []
    if several and study.cost == "time" and rows["invariant_drift"].notna().any():
        wanted.append(("invariant_drift", "time"))
    leader = best["solver"].iloc[0] if len(best) and pd.notna(best["best error"].iloc[0]) else "none"
    figures = []
    for error, cost in wanted:
        shown = len(marked(study.points, problem, series, error=error, cost=cost))
        more = others(shown, rows["series"].nunique())
        what = f"{ERRORS.get(error, error)} against {COSTS[cost][1]}"
        name = f"work-precision-{stem}" + ("" if (error, cost) == wanted[0] else f"-{file_name(error)}-{cost}")
        figures.append(
            Figure(
                name=name,
                short=(error, cost) == wanted[0],
                caption=f"Work-precision: {what}.{more}",
                alt=f"Work-precision diagram of {problem}: {what} for {shown} solvers on "
                f"logarithmic axes; the smallest error is reached by {leader}. The tables below have the "
                f"numbers.{more}",
                draw=partial(
                    work_precision_figure, study.points, problem, drawn, error=error, cost=cost, series=series
                ),
            )
        )
    rates, exploded = _exploding(study), []
    if len(rates) and (rates["problem"] == problem).any():
        mine = rates[rates["problem"] == problem]
        exploding = mine["series"].nunique()
        if exploding > MOST_SERIES:
            order = leaders(study.points, problem, error=study.error, cost=study.cost)
            mine = mine[mine["series"].isin([s for s in order if s in set(mine["series"])][:MOST_SERIES])]
        more = others(mine["series"].nunique(), exploding)
        exploded.append(
            Figure(
                name=f"explosions-{stem}",
                caption=f"Share of trajectories that diverge, with Wilson intervals.{more}",
                alt=f"Explosion rates on {problem} of {mine['series'].nunique()} solvers over step or tolerance.{more}",
                draw=partial(explosion_figure, mine, problem, drawn),
            )
        )
    return figures, exploded


def _trajectories(study: Study, problem: str, drawn: dict[str, Look], facts: RunFacts) -> list[Figure]:
    kept = facts.trajectories
    if kept.empty:
        return []
    # States of rows that are no longer in the table are of an earlier run.
    kept = kept[(kept["problem"] == problem) & kept["cell_id"].isin(set(study.table["cell_id"]))]
    if kept.empty:
        return []
    kept = kept.merge(study.table[["cell_id", *STEPS]], on="cell_id", how="left")
    everything = study.points.series(problem)
    shown = [", ".join(described(kept, role, everything)) for role in roles_of(kept)]
    whose = "learned " if study.learned & set(everything) else ""
    return [
        Figure(
            name=f"trajectories-{file_name(problem)}",
            short=True,
            caption=f"Trajectories and phase portraits of the best, the median and a diverged {whose}run (coloured) "
            "beside the reference (dashed): the trajectory of median error, or the first that is lost. Where few "
            "states are saved they are marked (circles: the run, crosses: the reference); the thin lines between them "
            "guide the eye. Times that grow by powers of ten have a logarithmic axis.",
            alt=f"Trajectories of {problem} over time and in phase space beside the reference. {'; '.join(shown)}.",
            draw=partial(trajectory_figure, kept, problem, drawn, everything),
        )
    ]


def _training(equation: str, facts: RunFacts) -> list[Figure]:
    """Training curves of an equation: of every method and corrector the first training on the most data."""
    known = [t for t in facts.trainings if t.equation == equation]
    largest: dict[str, Training] = {}
    for training in known:
        had = largest.get(training.series)
        if had is None or (training.trajectories or 0) > (had.trajectories or 0):
            largest[training.series] = training
    mine = list(largest.values())[:MOST_SERIES]
    if not mine:
        return []
    best = min(mine, key=lambda t: min(t.losses))
    series = {t.series for t in mine}
    more = f" One training of each; {len(known) - len(mine)} more were made." if len(known) > len(mine) else ""
    return [
        Figure(
            name=f"training-{file_name(equation)}",
            caption="Training curves: held-out one-step error, mean square over the bare method's, against seconds of "
            f"training; a cross: the gate stayed shut.{more}",
            alt=f"Training curves of {len(mine)} correctors on {equation}; the smallest held-out error, "
            f"{min(best.losses):.2g} of the bare method's, is reached by {best.series}.",
            draw=partial(training_figure, mine, equation, looks(series, series)),
        )
    ]


def _learning(study: Study, problem: str) -> tuple[list[Table], list[Figure]]:
    """Learning curves of a problem that has several sizes of training set."""
    rows = study.learning
    rows = rows[rows["problem"] == problem] if len(rows) else rows
    if rows.empty:
        return [], []
    trained = rows[rows["corrector"] != "none"]
    best = trained.loc[trained["rollout_mse"].idxmin()]
    counts = f"{trained['corrector'].nunique()} correctors on {trained['method'].nunique()} methods"
    where = f"{problem} at dt={rows['dt'].iloc[0]:g}"
    stem = file_name(problem)
    few = trained["train_trajectories"].nunique() <= FEW_SIZES
    beside = " Correctors trained on as many trajectories stand side by side." if few else ""
    figures = [
        Figure(
            name=f"learning-{stem}",
            short=True,
            caption=f"Learning curves at dt={rows['dt'].iloc[0]:g}: rollout MSE over training trajectories, geometric "
            "mean over seeds with 95 % intervals, every corrector with its own input, data without noise. Lines: the "
            f"bare method, DOP853 at the same step.{beside}",
            alt=f"Learning curves of {counts}, {where}; the smallest error, {best['rollout_mse']:.2g}, is reached "
            f"by {best['method']}+{best['corrector']} with {best['train_trajectories']:g} trajectories.",
            draw=partial(learning_figure, study.learning, problem),
        ),
        Figure(
            name=f"learning-explosions-{stem}",
            caption="Share of exploded trajectories over training trajectories, with Wilson intervals.",
            alt=f"Explosion rates of {counts} over training trajectories, {where}; the largest is "
            f"{trained['exploded'].max():.2g}.",
            draw=partial(learning_figure, study.learning, problem, "exploded"),
        ),
    ]
    table = Table(name="learning", caption="Error and explosions over training trajectories",
                  frame=rows.drop(columns="problem").reset_index(drop=True))  # fmt: skip
    return [table], figures if trained["exploded"].max() > 0 else figures[:1]


def _part(frame: Frame, problem: str, name: str, caption: str, first: list[str]) -> list[Table]:
    rows = frame[frame["problem"] == problem].drop(columns="problem") if len(frame) else frame
    if "series" in rows:
        # What a format leaves out of a long table is at its end.
        rows = rows.assign(_later=~rows["series"].isin(first)).sort_values("_later", kind="stable")
        rows = rows.drop(columns="_later")
    return [Table(name=name, caption=caption, frame=rows.reset_index(drop=True))] if len(rows) else []


def _crossing(study: Study) -> Frame:
    """Crossovers of a run with few series; of many, pairs of all with all are more than a page holds."""
    return study.crossovers if study.points.table["series"].nunique() <= MOST_SERIES else pd.DataFrame()


def _exploding(study: Study) -> Frame:
    """Rates of the series that diverge anywhere on the problem."""
    rates = study.explosions
    worst = rates.groupby(["problem", "series"])["rate"].transform("max")
    return rates[worst > 0]


def _equation(study: Study, rows: Frame) -> Any:
    if study.registry is None or rows.empty:
        return None
    name = rows["equation"].iloc[0]
    return study.registry.get("equation", name) if name in study.registry.names("equation") else None
