"""What notebooks show, and the figure of a single solution."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_runs as synthetic
from attns_harness.analysis import prepare
from attns_harness.analysis.work_precision import WorkPrecisionSet
from attns_harness.cli import cli
from attns_harness.reports.document import Table
from attns_harness.reports.solution_figure import solution_figure
from click.testing import CliRunner

from attns_core import Problem, build_registry, solve
from attns_core.reference import make_reference

REGISTRY = build_registry()
HOSTILE = "<script>alert(1)</script>"


def parsed(html: str) -> ET.Element:
    """HTML fragments that browsers and XML parsers read alike."""
    return ET.fromstring(f"<div>{html}</div>")


def test_a_solution_shows_counters_and_its_first_trajectory() -> None:
    problem = Problem.sample(REGISTRY.equation("lotka-volterra"), n=3, seed=1, t_end=2.0)
    solution = solve(problem, REGISTRY.solver("rk4", backend="numpy"), dt=0.1)
    html = solution._repr_html_()
    root = parsed(html)
    assert "3, 3 finite to the end" in html
    assert "80 per trajectory" in html
    assert any(e.tag.endswith("svg") for e in root.iter())
    lost = solution.u.copy()
    lost[5:] = np.nan
    broken = type(solution)(t=solution.t, u=lost, n_steps=1, nfe=4, message=HOSTILE)
    assert "3, 0 finite to the end" in broken._repr_html_()
    assert HOSTILE not in broken._repr_html_()


def test_a_work_precision_set_shows_diagrams_and_escaped_names() -> None:
    rows = synthetic.table((synthetic.RK4, synthetic.ATTNS), (HOSTILE,), spread=0.1)
    html = WorkPrecisionSet.from_table(prepare(rows))._repr_html_()
    root = parsed(html)
    assert HOSTILE not in html
    assert "alert(1)" in "".join(root.itertext())
    assert {"svg", "table"} <= {e.tag.rpartition("}")[2] for e in root.iter()}
    assert parsed(WorkPrecisionSet.from_table(prepare(rows.iloc[:0]))._repr_html_()).find("table") is not None


def test_a_table_shows_headings_intervals_and_the_best_in_bold() -> None:
    frame = pd.DataFrame({"series": ["a", HOSTILE], "best error": [2.0, 1.0], "low": [1.0, None], "high": [3.0, None]})
    html = Table(name="t", caption="c", frame=frame, best={"best error": "min"})._repr_html_()
    text = [cell.text or "" for cell in parsed(html).iter("td")]
    assert text[:3] == ["a", "2", "1 to 3"]
    assert [b.text for b in parsed(html).iter("b")] == ["1"]
    assert "<script" not in html


@pytest.mark.parametrize(("name", "pair"), [("elastic-pendulum", ("theta", "omega")), ("lotka-volterra", ("x", "y"))])
def test_attns_solve_plots_components_phase_portrait_and_reference(
    name: str, pair: tuple[str, str], tmp_path: Path
) -> None:
    for suffix, first in (("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")):
        path = tmp_path / f"orbit.{suffix}"
        arguments = ["solve", name, "--solver", "rk4", "--backend", "numpy", "--t-end", "1", "--plot", str(path)]
        done = CliRunner().invoke(cli, arguments, standalone_mode=False)
        assert done.exception is None, done.output
        assert path.read_bytes().startswith(first)
    problem = Problem.sample(REGISTRY.equation(name), n=1, seed=0, t_end=1.0)
    solution = solve(problem, REGISTRY.solver("rk4", backend="numpy"), dt=problem.equation.dts[0])
    figure = solution_figure(problem, solution, name, reference=make_reference(problem))
    # A velocity of the first component is drawn against it, where there is one.
    assert (figure.axes[1].get_xlabel(), figure.axes[1].get_ylabel()) == pair
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert labels == {*problem.equation.component_names, "reference"}
