"""Learning curves as small multiples, one panel per base method."""

from typing import Any, Literal

import numpy as np

from attns_harness.analysis.frames import Frame
from attns_harness.analysis.learning import STRONG
from attns_harness.reports.legend import place_legend
from attns_harness.reports.style import RC, SOFT, looks, plain, tick
from attns_harness.reports.text import visible

LABELS = {"rollout_mse": "rollout MSE", "exploded": "exploded share"}
_BEYOND = 1e3
"""Intervals of few seeds span many decades; the axis ends this factor beyond the means."""
FEW_SIZES, _SPREAD = 2, 0.12
"""With at most so many sizes, points of one size are spread over this share of the axis."""


def learning_figure(curves: Frame, problem: str, what: Literal["rollout_mse", "exploded"] = "rollout_mse") -> Any:
    """``what`` over training trajectories of one problem, one curve per corrector, with intervals as bars.

    The bare method and DOP853, which need no training, are horizontal lines.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = curves[curves["problem"] == problem]
    trained = rows[rows["corrector"] != "none"]
    bare = rows[rows["corrector"] == "none"].set_index("method")["rollout_mse"]
    # The least accurate method first, in both figures of a problem.
    methods = sorted(trained["method"].unique(), key=lambda name: (-bare.get(name, np.inf), name))
    columns = min(2, len(methods))
    lines = -(-len(methods) // columns)
    with mpl.rc_context(RC):
        figure: Any = Figure(figsize=(6.4, 0.6 + 2.4 * lines), layout="constrained")
        figure.hover = {}
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        drawn = looks(trained["corrector"], trained["corrector"])
        for axes, method in zip(panels, methods, strict=False):
            _panel(axes, rows, method, what, drawn)
        for axes in panels[len(methods) :]:
            axes.set_visible(False)
        _scale(panels[0], rows, what)
        for axes in panels[max(0, len(methods) - columns) : len(methods)]:
            axes.set_xlabel("training trajectories")
        for axes in panels[: len(methods) : columns]:
            axes.set_ylabel(LABELS[what])
        figure.suptitle(plain(problem), x=0.01, ha="left", fontweight="bold", fontsize="large")
        place_legend(figure, 0.6 + 2.4 * lines)
        return figure


def _panel(axes: Any, rows: Frame, method: str, what: str, drawn: dict[str, Any]) -> None:
    mine = rows[rows["method"] == method]
    low, high = ("low", "high") if what == "rollout_mse" else (f"{what}_low", f"{what}_high")
    names = sorted(mine.loc[mine["corrector"] != "none", "corrector"].unique())
    aside = _aside(rows["train_trajectories"].dropna().unique(), names)
    for name, curve in mine[mine["corrector"] != "none"].groupby("corrector"):
        look, curve = drawn[str(name)], curve.sort_values("train_trajectories")
        bars = [(curve[what] - curve[low]).clip(lower=0), (curve[high] - curve[what]).clip(lower=0)]
        axes.errorbar(
            curve["train_trajectories"] * aside[str(name)], curve[what], yerr=[b.fillna(0) for b in bars],
            color=look.colour,
            marker=look.marker, markersize=5, markerfacecolor="none", elinewidth=0.6, capsize=1.5, label=plain(name),
            gid=f"curve:{visible(name)}",
        )  # fmt: skip
        axes.figure.hover.setdefault(f"curve:{visible(name)}", []).extend(
            f"{name} on {method}, {n:g} trajectories: {value:.3g} ({lower:.2g} to {upper:.2g})"
            for n, value, lower, upper in zip(
                curve["train_trajectories"], curve[what], curve[low], curve[high], strict=True
            )
        )
    bare = mine.loc[mine["corrector"] == "none", what]
    if len(bare):
        axes.axhline(bare.iloc[0], color=SOFT, linewidth=1.4, linestyle="--", label="bare method",
                     gid="curve:bare method")  # fmt: skip
    strong = rows.loc[(rows["method"] == STRONG) & (rows["corrector"] == "none"), what]
    if len(strong) and method != STRONG:
        axes.axhline(strong.iloc[0], color=SOFT, linewidth=1.4, linestyle=":", label=STRONG.upper(),
                     gid=f"curve:{STRONG.upper()}")  # fmt: skip
    axes.set_title(plain(method), loc="left", fontsize="medium")


def _aside(sizes: Any, names: list[str]) -> dict[str, float]:
    """Factors that set correctors beside each other: at few sizes their points would cover each other."""
    if len(sizes) > FEW_SIZES:
        return dict.fromkeys(names, 1.0)
    span = float(np.log(max(sizes) / min(sizes))) or 2 * np.log(2.0)
    places = np.linspace(-0.5, 0.5, len(names)) if len(names) > 1 else np.zeros(1)
    return dict(zip(names, np.exp(_SPREAD * span * places), strict=True))


def _scale(axes: Any, rows: Frame, what: str) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    axes.set_xscale("log")
    sizes = sorted(rows["train_trajectories"].dropna().unique())
    axes.set_xticks(sizes, [f"{s:g}" for s in sizes])
    if len(sizes) <= FEW_SIZES:
        room = (max(sizes) / min(sizes)) ** (2 * _SPREAD) if len(sizes) > 1 else 2.0
        axes.set_xlim(min(sizes) / room, max(sizes) * room)
    axes.xaxis.set_minor_locator(NullLocator())
    if what != "rollout_mse":
        axes.set_ylim(-0.03, 1.03)
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    values = rows[what][rows[what] > 0]
    reach = (rows["low"].fillna(rows[what]).min(), rows["high"].fillna(rows[what]).max())
    if len(values) and np.isfinite(reach).all():
        axes.set_ylim(max(values.min() / _BEYOND, reach[0] / 2), min(values.max() * _BEYOND, reach[1] * 2))
