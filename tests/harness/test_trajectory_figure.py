"""Figures of kept trajectories: time axes, titles and ticks that a reader can trust."""

import numpy as np
import pandas as pd
import pytest
from attns_harness.reports.figures import render
from attns_harness.reports.style import looks
from attns_harness.reports.text import wrapped
from attns_harness.reports.trajectory_figure import described, trajectory_figure

LONG = "linearly-implicit-euler+stage-attention[activation=quintic,head=shared,input=u,margin=0.5,width=48], 8000 traj."
OTHER = LONG.replace("48", "64")


def kept(t: np.ndarray, series: str = "rk4", scale: float = 1.0, **facts: float) -> pd.DataFrame:
    parts = []
    for i, name in enumerate(("a", "b")):
        u = scale * np.cos(np.linspace(0, 3, t.size) + i)
        parts.append(pd.DataFrame({"t": t, "component_index": i, "component": name, "u": u, "reference": u}))
    facts = {"control": 1.0, "seed": 3, "error_l2_scaled": 2e-6, **facts}
    return pd.concat(parts, ignore_index=True).assign(role="best", series=series, **facts)


def panels(rows: pd.DataFrame, everything: list[str] | None = None) -> tuple[object, object, object]:
    names = everything or list(rows["series"].unique())
    figure = trajectory_figure(rows, "robertson", looks(names), names)
    figure.canvas.draw()
    return figure, *figure.axes[:2]


@pytest.mark.parametrize(
    ("t", "scale"),
    [
        (np.linspace(0, 10, 11), "linear"),
        (np.array([0.0, 1.0, 3.0, 10.0]), "linear"),
        (np.array([0.0, 20.0]), "linear"),
        (np.concatenate([[0.0], np.geomspace(1e-2, 1e5, 5)]), "symlog"),
        (np.geomspace(1e-2, 1e5, 5), "log"),
        (np.concatenate([[0.0], np.geomspace(3e-7, 2e-4, 30)]), "symlog"),
    ],
)
def test_saved_intervals_that_grow_more_than_tenfold_have_a_logarithmic_axis(t: np.ndarray, scale: str) -> None:
    _, time, _ = panels(kept(t))
    assert time.get_xscale() == scale
    low, high = time.get_xlim()
    assert low <= t[0]
    assert t[-1] <= high
    if scale == "linear":
        return
    # Every point has a place of its own, and few labels that are powers of ten.
    at = time.transData.transform(np.column_stack([t, np.zeros_like(t)]))[:, 0]
    assert np.diff(at).min() > 0.01 * (at[-1] - at[0])
    labels = [label.get_text() for label in time.get_xticklabels()]
    assert 2 <= len(labels) <= 8
    assert ("0" in labels) == (t[0] == 0)
    assert all("." not in label or label.startswith("0.") for label in labels)


@pytest.mark.parametrize("series", ["rk4", LONG, "x" * 300])
def test_titles_stay_inside_the_figure_and_off_the_panels(series: str) -> None:
    names = [series, OTHER]
    figure, time, phase = panels(kept(np.linspace(0, 1, 5), series, 1e-5, dt=0.1, rtol=np.nan), names)
    title, whole = time._left_title.get_window_extent(), figure.bbox
    assert title.x0 >= 0
    assert title.x1 <= whole.x1
    for axes in (time, phase):
        assert title.y0 >= axes.get_window_extent().y1
        # No power of ten stands at the end of an axis, where titles are.
        assert not axes.yaxis.get_offset_text().get_text()
        assert not axes.xaxis.get_offset_text().get_text()
    shown = time.get_title(loc="left").replace("\n", "")
    for fact in ("best", "step 0.1", "seed 3", "error 2e-06"):
        assert fact in shown
    assert series.replace(" ", "") in shown.replace(" ", "")
    assert any("10⁻" in label.get_text() for label in phase.get_yticklabels())


@pytest.mark.parametrize(
    ("columns", "step"),
    [
        ({"dt": 0.1, "rtol": np.nan, "steps_per_save": np.nan}, "step 0.1, seed 3"),
        ({"dt": np.nan, "rtol": 1e-4, "steps_per_save": np.nan}, "tolerance 0.0001, seed 3"),
        ({"dt": np.nan, "rtol": np.nan, "steps_per_save": 1.0}, "1 step per saved interval, seed 3"),
        ({"dt": np.nan, "rtol": np.nan, "steps_per_save": 5.0}, "5 steps per saved interval, seed 3"),
        ({}, "step or tolerance 1, seed 3"),
    ],
)
def test_titles_say_what_kind_of_step_it_is(columns: dict[str, float], step: str) -> None:
    rows = kept(np.linspace(0, 1, 5), **columns)
    assert described(rows, "best", ["rk4"]) == ("best: rk4", f"{step}, error 2e-06")


def test_few_saved_states_are_marked_and_not_joined_in_the_phase_plane() -> None:
    for times, marked in ((6, True), (200, False)):
        _, time, phase = panels(kept(np.linspace(0, 1, times)))
        assert all((line.get_marker() != "None") == marked for line in time.get_lines())
        assert all((line.get_linestyle() == "None") == marked for line in phase.get_lines())


def test_an_exploding_run_does_not_decide_the_range_and_constants_are_drawn_as_such() -> None:
    rows = kept(np.linspace(0, 1, 50))
    rows.loc[rows["t"] > 0.5, "u"] = 1e6
    rows.loc[rows["component"] == "b", "reference"] = 1 + 1e-12 * np.arange(50)
    figure, time, phase = panels(rows)
    assert max(map(abs, time.get_ylim())) < 2
    low, high = phase.get_ylim()
    assert 1e-5 < high - low < 1
    labels = [label.get_text() for label in phase.get_yticklabels()]
    assert len(set(labels)) == len(labels)
    assert len(render(figure, "png")) > 5000


def test_labels_break_after_commas_and_lose_nothing() -> None:
    assert wrapped("rk4", 10) == "rk4"
    assert wrapped("rk4+attns[width=80,input=uS], 20 traj.", 20) == "rk4+attns[width=80,\ninput=uS], 20 traj."
    assert wrapped("x" * 25, 10) == "\n".join(["x" * 10, "x" * 10, "x" * 5])
    assert all(len(line) <= 40 for line in wrapped(LONG, 40).splitlines())
    assert wrapped(LONG, 40).replace("\n", "").replace(" ", "") == LONG.replace(" ", "")
