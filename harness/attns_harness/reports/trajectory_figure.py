"""Sampled trajectories beside the reference: over time, and in the plane of two components."""

from typing import Any

import numpy as np

from attns_harness.analysis.frames import Frame
from attns_harness.reports.legend import place_legend
from attns_harness.reports.selection import short_labels
from attns_harness.reports.style import INK, RC, Look, plain, plain_ticks, tick
from attns_harness.reports.text import wrapped
from attns_harness.trajectories import ROLES

STEPS = {"dt": "step {:g}", "rtol": "tolerance {:g}", "steps_per_save": "{:g} steps per saved interval"}
"""What a row's step is called, by the column that has it."""
_PANEL_IN = 1.75
_TITLE_LINE_IN = 0.13
_TITLE_WIDTH = 86
"""Characters of a title's line."""
_FEW = 25
"""Up to so many saved states are marked: lines between them would be taken for the solution."""
_GROWTH = 10.0
"""Saved intervals that grow by more than this want a logarithmic axis."""


def roles_of(kept: Frame) -> list[str]:
    """The roles that a problem's kept trajectories have, in the order of the figure."""
    return [role for role in ROLES if (kept["role"] == role).any()]


def described(kept: Frame, role: str, everything: list[str]) -> tuple[str, str]:
    """``best: rk4+attns`` and ``step 0.1, seed 3, error 2e-06``: which run a row of the figure shows.

    ``kept`` may have the columns of ``STEPS``; without them the step is "step or tolerance".
    """
    row = kept[kept["role"] == role].iloc[0]
    label = short_labels([row["series"]], everything)[row["series"]]
    named = [name for name in STEPS if name in row.index and np.isfinite(float(row[name]))]
    # Prepared tables have one control: the step, else the tolerance, else the steps of an interval.
    step = STEPS[named[0]].format(row[named[0]]) if named else f"step or tolerance {row['control']:g}"
    step = step.replace("1 steps", "1 step") if step.startswith("1 ") else step
    error = f", error {row['error_l2_scaled']:.2g}" if np.isfinite(row["error_l2_scaled"]) else ""
    return f"{role}: {label}", f"{step}, seed {row['seed']:g}{error}"


def trajectory_figure(kept: Frame, problem: str, looks: dict[str, Look], everything: list[str]) -> Any:
    """One row per role: a component over time, and the phase portrait, each beside the reference.

    Parameters
    ----------
    kept : DataFrame
        The kept trajectories of one problem.
    everything : list of str
        All series of the problem, for labels that are short and still unambiguous.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    roles = roles_of(kept)
    titles = [_title(*map(plain, described(kept, role, everything))) for role in roles]
    height = 0.5 + _PANEL_IN * len(roles) + _TITLE_LINE_IN * sum(title.count("\n") for title in titles)
    with mpl.rc_context(RC):
        figure: Any = Figure(figsize=(6.4, height), layout="constrained")
        figure.hover = {}
        panels = figure.subplots(len(roles), 2, squeeze=False, width_ratios=[2.1, 1])
        for (time, phase), role, title in zip(panels, roles, titles, strict=True):
            rows = kept[kept["role"] == role]
            _panel(time, phase, rows, looks[rows["series"].iloc[0]])
            time.set_title(title, loc="left", fontsize="small")
        figure.suptitle(plain(problem), x=0.01, ha="left", fontweight="bold", fontsize="large")
        panels[-1][0].set_xlabel("t")
        place_legend(figure, height)
        return figure


def _title(run: str, facts: str) -> str:
    """On one line where it fits, else the run on lines of its own."""
    whole = f"{run}, {facts}"
    return whole if len(whole) <= _TITLE_WIDTH else f"{wrapped(run, _TITLE_WIDTH)}\n{facts}"


def _panel(time: Any, phase: Any, rows: Frame, look: Look) -> None:
    order = list(dict.fromkeys(rows["component_index"]))
    first, second = (rows[rows["component_index"] == i] for i in (order[0], order[min(1, len(order) - 1)]))
    few = len(first) <= _FEW
    solved: dict[str, Any] = {"color": look.colour, "linewidth": 1.3, "zorder": 2}
    reference: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 2)), "alpha": 0.85, "zorder": 3}
    if few:
        solved |= {"marker": "o", "markersize": 6.0, "markerfacecolor": "none", "linewidth": 0.6}
        reference |= {"marker": "+", "markersize": 5.0, "linewidth": 0.5}
    time.plot(first["t"], first["u"], label="solver", gid="curve:solver", **solved)
    time.plot(first["t"], first["reference"], label="reference", gid="curve:reference", **reference)
    if few:
        # Between states that are far apart a phase portrait has nothing to guide the eye along.
        solved["linestyle"] = reference["linestyle"] = "none"
    phase.plot(first["u"], second["u"], gid="curve:solver", **solved)
    phase.plot(first["reference"], second["reference"], gid="curve:reference", **reference)
    _mark_loss(time, phase, first, second, look.colour)
    time.set_ylabel(plain(first["component"].iloc[0]))
    phase.set_xlabel(plain(first["component"].iloc[0]))
    phase.set_ylabel(plain(second["component"].iloc[0]))
    plain_ticks(time.yaxis)
    for axis in (phase.xaxis, phase.yaxis):
        plain_ticks(axis)
    _time_axis(time, first["t"].to_numpy(dtype=float))
    for axes, across, up in ((time, first["t"], first["reference"]), (phase, first["reference"], second["reference"])):
        # The reference decides the range: what explodes leaves the panel where it explodes.
        _frame(axes.set_ylim, up)
        if axes is phase:
            _frame(axes.set_xlim, across)


def _time_axis(axes: Any, t: Any) -> None:
    """Logarithmic where the saved intervals grow by more than ``_GROWTH``, linear up to the first one from 0."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    intervals = np.diff(t)
    if intervals.size < 2 or not intervals.max() > _GROWTH * intervals.min() > 0:
        plain_ticks(axes.xaxis)
        return
    positive = t[t > 0]
    if t[0] > 0:
        axes.set_xscale("log")
    else:
        axes.set_xscale("symlog", linthresh=positive[0], linscale=0.7)
        axes.set_xlim(-0.2 * positive[0], 1.6 * positive[-1])
    powers = np.arange(np.floor(np.log10(positive[0])), np.ceil(np.log10(positive[-1])) + 1)
    powers = powers[(10**powers >= positive[0] * (1 - 1e-9)) & (10**powers <= positive[-1] * (1 + 1e-9))]
    ticks = 10.0 ** powers[:: max(1, -(-len(powers) // 6))]
    axes.xaxis.set_major_locator(FixedLocator([0.0, *ticks] if t[0] <= 0 else list(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if value == 0 else tick(value)))


def _mark_loss(time: Any, phase: Any, first: Frame, second: Frame, colour: str) -> None:
    lost = np.isnan(first["u"].to_numpy())
    if lost.any() and not lost.all():
        last = int(np.argmax(lost)) - 1
        if last >= 0:
            time.axvline(first["t"].iloc[last], color=colour, linewidth=0.8, linestyle=":", gid="curve:solver")
            time.annotate(" lost", (first["t"].iloc[last], 0.98), xycoords=("data", "axes fraction"), va="top",
                          fontsize="x-small", color=colour)  # fmt: skip
            phase.plot(first["u"].iloc[last], second["u"].iloc[last], marker="x", color=colour, gid="curve:solver")


def _frame(limit: Any, values: Frame) -> None:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    # A component that hardly varies is shown as that, not as its rounding.
    span = max(high - low, 1e-4 * max(abs(low), abs(high))) or 4.0
    margin = 0.12 * span + 0.5 * (span - (high - low))
    limit(low - margin, high + margin)
