"""Reports of studies with many series: figures name few, tables are cut with a pointer to all rows."""

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_runs as synthetic
from attns_harness.analysis import Study, learning_curves, prepare
from attns_harness.analysis.learning import STRONG
from attns_harness.analysis.work_precision import WorkPrecisionSet
from attns_harness.reports.content import document
from attns_harness.reports.document import LONG_TABLES
from attns_harness.reports.facts import RunFacts
from attns_harness.reports.figures import work_precision_figure
from attns_harness.reports.html import write_html
from attns_harness.reports.latex import write_latex
from attns_harness.reports.learning_figure import learning_figure
from attns_harness.reports.long_tables import write_long_tables
from attns_harness.reports.markdown import write_markdown
from attns_harness.reports.selection import MOST_SERIES, leaders, named, short_labels
from attns_harness.reports.style import looks
from attns_harness.reports.verdicts import MOST_SENTENCES, findings, verdicts
from attns_harness.reports.write import write_report

PROBLEM = "toy"
SIZES = (2, 5, 20, 100)
CORRECTORS = ("attns", "neurvec", "linear")
ERROR_AT = {"attns": 1e-1, "neurvec": 1e-2, "linear": 1.0}


def study_table() -> pd.DataFrame:
    """Two base methods, three correctors, four training sizes, three seeds, beside classical solvers at two steps."""
    solver = synthetic.SyntheticSolver
    parts = [
        synthetic.table((synthetic.RK4, synthetic.EULER, synthetic.DOP853), (PROBLEM,), (0.1, 0.05), spread=0.1),
    ]
    parts[0]["corrector"] = "none"
    for method in ("euler", "rk4"):
        for name in CORRECTORS:
            for size in SIZES:
                full = f"{method}+{name}[width=80]"
                made = solver(full, 4, ERROR_AT[name] / size, 6e-6, name, 1.0, 1.0, 4)
                rows = synthetic.table((made,), (PROBLEM,), (0.1,), spread=0.1)
                rows = rows.assign(train_trajectories=size, cell_id=rows["cell_id"] + f"/{size}")
                if size == 2:
                    rows["diverged_fraction"] = 0.25
                parts.append(rows)
    table = pd.concat(parts, ignore_index=True)
    own: dict[str, str | None] = {"attns": "S", "neurvec": "u"}
    table["input"] = [own.get(str(c)) for c in table["corrector"]]
    table["corrector_options"] = [None if c == "none" else "width=80" for c in table["corrector"]]
    return table


@pytest.fixture(scope="module")
def study() -> Study:
    return Study(prepare(study_table()), "many", None)


@pytest.fixture(scope="module")
def points(study: Study) -> WorkPrecisionSet:
    return study.points


def test_a_diagram_names_few_series_and_the_leading_ones(points: WorkPrecisionSet) -> None:
    terms: Any = {"error": "error_l2_scaled", "cost": "nfe"}
    assert len(points.series(PROBLEM)) > MOST_SERIES
    shown = named(points, PROBLEM, **terms)
    assert len(shown) == MOST_SERIES
    assert {"dop853", "rk4"} <= set(shown)
    first = [name for name in leaders(points, PROBLEM, **terms) if "+" in name][: len(CORRECTORS)]
    assert {name.split("+")[1] for name in first} == {f"{c}[width=80], 100 traj." for c in CORRECTORS}
    assert sorted(leaders(points, PROBLEM, **terms)) == sorted(points.series(PROBLEM))
    assert named(points, PROBLEM, most=100, **terms) == points.series(PROBLEM)


def test_labels_are_short_only_where_that_is_unambiguous() -> None:
    names = [
        "rk4+attns[width=8], 2 traj.",
        "rk4+attns[input=K,width=8], 2 traj.",
        "rk4+neurvec[width=8], 5 traj.",
        "rk4",
    ]
    assert list(short_labels(names, names).values()) == [*names[:2], "rk4+neurvec, 5 traj.", "rk4"]


@pytest.mark.parametrize("suffix", ["", " with a very long description of everything" * 4])
def test_the_legend_stays_inside_the_figure(suffix: str) -> None:
    table = prepare(study_table())
    table["series"] += suffix
    table["solver"] += suffix
    points = WorkPrecisionSet.from_table(table)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = work_precision_figure(points, PROBLEM, looks(points.series()), cost="nfe")
        figure.draw_without_rendering()
    (legend,) = figure.legends
    inside, box = figure.bbox, legend.get_window_extent()
    assert inside.x0 <= box.x0 <= box.x1 <= inside.x1
    assert inside.y0 <= box.y0 <= box.y1 <= inside.y1
    assert box.y1 < figure.axes[0].get_window_extent().y0
    assert len(legend.get_texts()) == MOST_SERIES or suffix


def test_learning_curves_are_geometric_means_over_seeds() -> None:
    table = study_table()
    curves = learning_curves(prepare(table))
    rows = table[(table["solver"] == "rk4+attns[width=80]") & (table["train_trajectories"] == 20)]
    found = curves[(curves["method"] == "rk4") & (curves["corrector"] == "attns")].set_index("train_trajectories")
    assert list(found.index) == list(SIZES)
    assert found.loc[20, "rollout_mse"] == pytest.approx(np.exp(np.log(rows["rollout_mse"]).mean()))
    assert found.loc[20, "low"] < found.loc[20, "rollout_mse"] < found.loc[20, "high"]
    assert list(found["exploded"]) == [0.25, 0, 0, 0]
    bare = curves[curves["corrector"] == "none"]
    assert set(bare["method"]) == {"euler", "rk4", STRONG}
    assert set(bare["dt"]) == {0.1}


def test_learning_curves_take_each_corrector_with_its_own_input_and_clean_data() -> None:
    table = study_table()
    attns = table[table["corrector"] == "attns"]
    other = attns.assign(solver=[s.replace("[", "[input=K,") for s in attns["solver"]], rollout_mse=1e9)
    curves = learning_curves(prepare(pd.concat([table, other, attns.assign(noise=0.1, rollout_mse=1e9)])))
    assert set(curves["corrector"]) == {*CORRECTORS, "none"}
    assert curves["rollout_mse"].max() < 1e3


def test_learning_curves_take_the_input_given_to_most_rows_where_a_run_has_no_other() -> None:
    table = study_table()
    attns = table["corrector"] == "attns"
    given = table.assign(solver=table["solver"].mask(attns, table["solver"].str.replace("[", "[input=u,", regex=False)))
    rare = given[attns & (given["seed"] == given["seed"].min())]
    rare = rare.assign(solver=rare["solver"].str.replace("input=u", "input=uK", regex=False), rollout_mse=1e9)
    curves = learning_curves(prepare(pd.concat([given, rare])))
    assert set(curves["corrector"]) == {*CORRECTORS, "none"}
    assert curves["rollout_mse"].max() < 1e3


def test_a_run_with_one_training_size_has_no_learning_curves() -> None:
    assert learning_curves(prepare(synthetic.table())).empty


@pytest.mark.parametrize("what", ["rollout_mse", "exploded"])
def test_learning_figures_have_a_panel_per_method_and_lines_without_training(study: Study, what) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = learning_figure(study.learning, PROBLEM, what)
        figure.draw_without_rendering()
    assert {axes.get_title(loc="left") for axes in figure.axes} == {"euler", "rk4"}
    (legend,) = figure.legends
    assert {t.get_text() for t in legend.get_texts()} == {*CORRECTORS, "bare method", "DOP853"}
    labels = [axes.xaxis.label.get_window_extent() for axes in figure.axes]
    assert all(label.y0 >= legend.get_window_extent().y1 for label in labels)


def test_learning_curves_are_in_every_format(study: Study, tmp_path) -> None:
    found = document(study, RunFacts(name="run"))
    html = write_html(found, tmp_path)[0].read_text()
    assert f'id="title-learning-{PROBLEM}"' in html
    assert f'id="title-learning-explosions-{PROBLEM}"' in html
    names = {path.name for path in (*write_markdown(found, tmp_path), *write_latex(found, tmp_path))}
    assert {f"learning-{PROBLEM}.png", f"learning-{PROBLEM}.pdf", f"{PROBLEM}-learning.tex"} <= names


def test_cut_tables_point_to_all_their_rows(study: Study, tmp_path) -> None:
    found = document(study, RunFacts(name="run"))
    write_long_tables(found, tmp_path)
    text = write_markdown(found, tmp_path)[-1].read_text()
    accuracy = pd.read_csv(tmp_path / LONG_TABLES / "accuracy.csv")
    assert len(accuracy) == len(study.points.series(PROBLEM))
    assert f"{len(accuracy) - 20} more rows are in {LONG_TABLES}/accuracy.csv." in text.replace("\\", "")
    caption = f"{len(accuracy) - MOST_SERIES} more series are in the tables."
    assert caption in text


def test_verdicts_hold_the_paper_s_claims_and_count_what_they_do_not_list(study: Study) -> None:
    lines = verdicts(study)
    claims = [line for line in lines if line.startswith("The AttNS paper's claim")]
    # The run tests three of the five: it has neither noise nor three steps.
    assert len(claims) == 3
    assert "Does not hold." in claims[1]
    learned = len(CORRECTORS) * len(SIZES) * 2
    assert any(f"of {learned} compared solvers" in line for line in lines)
    assert sum(line.startswith(f"{PROBLEM}: ") for line in lines) == 1
    assert len(findings(study, PROBLEM)) == MOST_SENTENCES
    without = study.table[study.table["corrector"] != "neurvec"]
    assert not any("claim" in line for line in verdicts(Study(without, "t")))


def test_untimed_comparisons_count_operations_and_say_so() -> None:
    timed = study_table().assign(operations=1e4)
    untimed = timed.assign(time_min_s=np.nan, time_median_s=np.nan)
    old = untimed.assign(operations=np.nan)
    studies = [Study(prepare(t), "many", None) for t in (timed, untimed, old)]
    assert [s.cost for s in studies] == ["time", "operations", "nfe"]
    said = [" ".join(verdicts(s)) for s in studies]
    assert ["count floating-point operations" in text for text in said] == [False, True, False]
    assert ["leave out what evaluating a corrector costs" in text for text in said] == [False, False, True]


def test_what_has_no_count_of_operations_is_left_out_by_name() -> None:
    untimed = study_table().assign(operations=1e4, time_min_s=np.nan, time_median_s=np.nan)
    first = untimed["solver"] == untimed["solver"].iloc[0]
    untimed.loc[first, "operations"] = np.nan
    study = Study(prepare(untimed), "many", None)
    assert study.not_counted == sorted(study.table.loc[first, "series"].unique())
    assert f"their operations are not known: {', '.join(study.not_counted)}." in " ".join(verdicts(study))


@pytest.mark.soak
def test_twenty_thousand_rows_take_less_than_a_minute(tmp_path: Path) -> None:
    solvers = [
        synthetic.SyntheticSolver(
            f"solver-{i:03d}", 2 + i % 6, 10.0 ** (-(i % 5)), 1e-6 * (1 + i % 7), "attns" * (i % 2)
        )
        for i in range(100)
    ]
    equations = ("henon-heiles", "kepler", "lorenz-63", "pleiades", "brusselator")
    steps = tuple(0.2 / 2**k for k in range(8))
    run = synthetic.run_folder(
        tmp_path / "run", solvers=solvers, equations=equations, dts=steps, seeds=tuple(range(5)), spread=0.1
    )
    assert len(pd.read_parquet(run / "tables" / "results.parquet")) == 20_000
    for kind in ("html", "md", "latex"):
        started = time.process_time()
        write_report(run, tmp_path / "out", (kind,))
        assert time.process_time() - started < 60
    assert (tmp_path / "out" / "report.html").stat().st_size < 8_000_000
