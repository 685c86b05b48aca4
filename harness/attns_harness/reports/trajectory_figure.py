"""Sampled trajectories beside the reference: over time, and in the plane of two components."""

from typing import Any

import numpy as np

from attns_harness.analysis.frames import Frame
from attns_harness.reports.legend import place_legend
from attns_harness.reports.selection import short_labels
from attns_harness.reports.style import INK, RC, Look, plain
from attns_harness.trajectories import ROLES

_PANEL_IN = 1.75


def roles_of(kept: Frame) -> list[str]:
    """The roles that a problem's kept trajectories have, in the order of the figure."""
    return [role for role in ROLES if (kept["role"] == role).any()]


def described(kept: Frame, role: str, everything: list[str]) -> str:
    """``best: rk4+attns at 0.1, seed 3``: which run a row of the figure shows."""
    row = kept[kept["role"] == role].iloc[0]
    label = short_labels([row["series"]], everything)[row["series"]]
    error = f", error {row['error_l2_scaled']:.2g}" if np.isfinite(row["error_l2_scaled"]) else ""
    return f"{role}: {label}, step or tolerance {row['control']:g}, seed {row['seed']:g}{error}"


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
    height = 0.5 + _PANEL_IN * len(roles)
    with mpl.rc_context(RC):
        figure: Any = Figure(figsize=(6.4, height), layout="constrained")
        figure.hover = {}
        panels = figure.subplots(len(roles), 2, squeeze=False, width_ratios=[2.1, 1])
        for (time, phase), role in zip(panels, roles, strict=True):
            rows = kept[kept["role"] == role]
            _panel(time, phase, rows, looks[rows["series"].iloc[0]])
            time.set_title(plain(_cut(described(kept, role, everything))), loc="left", fontsize="small")
        figure.suptitle(plain(problem), x=0.01, ha="left", fontweight="bold", fontsize="large")
        panels[-1][0].set_xlabel("t")
        place_legend(figure, height)
        return figure


def _panel(time: Any, phase: Any, rows: Frame, look: Look) -> None:
    order = list(dict.fromkeys(rows["component_index"]))
    first, second = (rows[rows["component_index"] == i] for i in (order[0], order[min(1, len(order) - 1)]))
    colour = look.colour
    reference = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 2)), "alpha": 0.85, "zorder": 3}
    solved = {"color": colour, "linewidth": 1.3, "zorder": 2}
    time.plot(first["t"], first["u"], label="solver", gid="curve:solver", **solved)
    time.plot(first["t"], first["reference"], label="reference", gid="curve:reference", **reference)
    phase.plot(first["u"], second["u"], gid="curve:solver", **solved)
    phase.plot(first["reference"], second["reference"], gid="curve:reference", **reference)
    _mark_loss(time, phase, first, second, colour)
    time.set_ylabel(plain(first["component"].iloc[0]))
    phase.set_xlabel(plain(first["component"].iloc[0]))
    phase.set_ylabel(plain(second["component"].iloc[0]))
    for axes, across, up in ((time, first["t"], first["reference"]), (phase, first["reference"], second["reference"])):
        # The reference decides the range: what explodes leaves the panel where it explodes.
        _frame(axes.set_ylim, up)
        if axes is phase:
            _frame(axes.set_xlim, across)


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
    margin = 0.12 * (high - low) or 0.5
    limit(low - margin, high + margin)


def _cut(text: str, most: int = 104) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
