"""Figures of a run, as matplotlib figures without global state."""

import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from attns_harness.analysis.frames import Frame
from attns_harness.analysis.work_precision import COSTS, ERRORS, WorkPrecisionSet
from attns_harness.reports.legend import place_legend
from attns_harness.reports.selection import marked, named, short_labels
from attns_harness.reports.style import RC, SOFT, Look, plain, tick
from attns_harness.reports.text import visible

_ZERO = 1e-17
"""Where an error of exactly zero is drawn, if no smaller one is there."""
_FAR = 30.0
"""A reference this much better than every point is named at the axis: its band would leave the diagram empty."""


def work_precision_figure(
    points: WorkPrecisionSet,
    problem: str,
    looks: Mapping[str, Look],
    *,
    error: str = "error_l2_scaled",
    cost: str = "time",
    series: Sequence[str] | None = None,
) -> Any:
    """Error against cost on one problem, both logarithmic, of ``series`` (default: the leading ones).

    Series without a point or a failed attempt of known cost are left out, of the legend too.

    Points are geometric means over seeds with bars from the smallest to the largest. What has no
    error (diverged, failed) stands in a strip at the right edge, at its cost where it has one. The
    grey band is the reference's uncertainty: no error inside it is believed; where it is far below all
    points, the axis names it instead. Errors of exactly zero stand at the left edge as arrows.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(RC):
        series = named(points, problem, error=error, cost=cost) if series is None else series
        series = marked(points, problem, series, error=error, cost=cost)
        labels = short_labels(series, points.series(problem))
        figure: Any = Figure(figsize=(6.4, 3.9), layout="constrained")
        # What a reader sees when pointing at a marker: group -> text per marker, in the order drawn.
        figure.hover = {}
        axes = figure.add_subplot()
        curves = {name: points.curve(problem, name, error=error, cost=cost) for name in series}
        positive = np.concatenate([c.error[c.error > 0] for c in curves.values()] or [np.empty(0)])
        left = float(positive.min()) / 3 if positive.size else _ZERO
        _logarithmic(axes, "x", "y")
        for name in series:
            _draw_curve(axes, curves[name], looks[name], left, labels[name])
        if any((c.failures[COSTS[cost][0]] > 0).any() for c in curves.values()):
            axes.text(1.0, 1.01, "no error: diverged or failed", transform=axes.transAxes, ha="right", va="bottom",
                      fontsize="x-small", color=SOFT)  # fmt: skip
        for name in series:
            _draw_failures(axes, curves[name].failures, COSTS[cost][0], looks[name], name)
        uncertainty = points.table.loc[points.table["problem"] == problem, "reference_uncertainty"].max()
        label = ERRORS.get(error, error)
        if error != "invariant_drift" and np.isfinite(uncertainty) and uncertainty > 0:
            if positive.size and uncertainty < left / _FAR:
                label += f" (reference uncertain below {tick(float(uncertainty))})"
            else:
                _draw_uncertainty(axes, float(uncertainty), left, bool(positive.size))
        _label_short_axes(axes, "x", "y")
        axes.set_xlabel(label)
        axes.set_ylabel(COSTS[cost][1])
        axes.set_title(plain(problem), loc="left", fontweight="bold")
        place_legend(figure, 3.9)
        return figure


def _logarithmic(axes: Any, *which: str) -> None:
    """Logarithmic axes with plain labels: the usual powers of ten take most of the drawing time."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for name in which:
        getattr(axes, f"set_{name}scale")("log")
        axis = getattr(axes, f"{name}axis")
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
        axis.set_minor_formatter(NullFormatter())


def _label_short_axes(axes: Any, *which: str) -> None:
    """An axis that spans hardly a decade has labels at 2 and 5 too."""
    from matplotlib.ticker import LogLocator

    for name in which:
        low, high = getattr(axes, f"get_{name}lim")()
        if high / low < 50:
            getattr(axes, f"{name}axis").set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))


def _draw_curve(axes: Any, curve: Any, look: Look, left: float, label: str) -> None:
    mean = curve.means().sort_values("adaptive", kind="stable", ignore_index=True)
    style = {
        "color": look.colour,
        "marker": look.marker,
        "linestyle": "--" if look.dashed else "-",
        "markerfacecolor": "white" if look.dashed else look.colour,
    }
    label = plain(label)
    lost = len(curve.failures)
    if lost:
        label += f" ({lost} without a point)"
    if mean.empty:
        axes.plot([], [], label=label, **style)
        return
    zero = mean["error"] == 0
    x = mean["error"].where(~zero, left)
    # No line joins steps of one length to steps of one tolerance.
    change = np.flatnonzero(np.diff(mean["adaptive"].astype(int))) + 1
    joined = (np.insert(v.to_numpy(), change, np.nan) for v in (x, mean["cost"]))
    axes.plot(*joined, label=label, gid=f"curve:{visible(curve.series)}", **style)
    axes.figure.hover[f"curve:{visible(curve.series)}"] = [
        f"{curve.series}: error {e:.3g}, cost {c:.3g}, step or tolerance {h:g}"
        for e, c, h in zip(mean["error"], mean["cost"], mean["control"], strict=True)
    ]
    axes.plot(
        x[zero], mean["cost"][zero], linestyle="", marker=8, color=look.colour, markersize=9,
        gid=f"spread:{visible(curve.series)}",
    )  # fmt: skip
    spreads = [curve.error[(curve.control == h) & (curve.error > 0)] for h in mean["control"]]
    bars = [(e.min(), e.max(), c) for e, c in zip(spreads, mean["cost"], strict=True) if e.size > 1]
    if bars:
        low, high, at = zip(*bars, strict=True)
        axes.hlines(at, low, high, color=look.colour, linewidth=0.8, alpha=0.7, gid=f"spread:{visible(curve.series)}")


def _draw_failures(axes: Any, failures: Any, column: str, look: Look, name: str) -> None:
    """Crosses in the strip at the right edge, at the cost of the failed attempt."""
    costs = failures[column].dropna()
    costs = costs[costs > 0]
    if len(costs):
        across = axes.get_yaxis_transform()
        axes.plot([0.985] * len(costs), costs, linestyle="", marker="x", color=look.colour, transform=across,
                  clip_on=False, gid=f"failed:{visible(name)}")  # fmt: skip


def _draw_uncertainty(axes: Any, uncertainty: float, left: float, any_error: bool) -> None:
    low, high = axes.get_xlim()
    if not any_error:
        low, high = uncertainty / 10, 1.0
    low = min(low, left, uncertainty / 3)
    axes.axvspan(low, uncertainty, color="#bbbbbb", alpha=0.5, linewidth=0, zorder=0)
    axes.text(uncertainty, 0.01, " reference uncertain", transform=axes.get_xaxis_transform(), rotation=90,
              fontsize="x-small", color=SOFT, ha="right", va="bottom")  # fmt: skip
    axes.set_xlim(low, high)


def explosion_figure(rates: Frame, problem: str, looks: Mapping[str, Look]) -> Any:
    """Share of diverged trajectories over step or tolerance, with Wilson intervals as bars."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(RC):
        figure: Any = Figure(figsize=(6.4, 3.2), layout="constrained")
        figure.hover = {}
        axes = figure.add_subplot()
        _logarithmic(axes, "x")
        if rates["control"].nunique() == 1:
            # One step has no range of its own.
            axes.set_xlim(rates["control"].iloc[0] / 2, rates["control"].iloc[0] * 2)
        for name, rows in rates.groupby("series"):
            look, rows = looks[name], rows.sort_values("control")
            bars = [(rows["rate"] - rows["low"]).clip(lower=0), (rows["high"] - rows["rate"]).clip(lower=0)]
            axes.errorbar(rows["control"], rows["rate"], yerr=[b.fillna(0) for b in bars], color=look.colour,
                          marker=look.marker, linestyle="--" if look.dashed else "-", label=plain(name), capsize=2,
                          gid=f"curve:{visible(name)}")  # fmt: skip
            figure.hover[f"curve:{visible(name)}"] = [
                f"{name}: {r:.3g} diverge ({low:.2g} to {high:.2g}) at step or tolerance {h:g}"
                for r, low, high, h in zip(rows["rate"], rows["low"], rows["high"], rows["control"], strict=True)
            ]
        axes.set_ylim(-0.03, 1.03)
        _label_short_axes(axes, "x")
        axes.set_xlabel("step or tolerance")
        axes.set_ylabel("diverged share")
        axes.set_title(plain(problem), loc="left", fontweight="bold")
        place_legend(figure, 3.2)
        return figure


def training_figure(trainings: Sequence[Any], equation: str, looks: Mapping[str, Look]) -> Any:
    """Held-out error over seconds of training, one line per training; crosses where the gate stayed shut."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(RC):
        figure: Any = Figure(figsize=(6.4, 3.4), layout="constrained")
        figure.hover = {}
        axes = figure.add_subplot()
        _logarithmic(axes, "y")
        for training in trainings:
            look = looks[training.series]
            marker = "x" if training.gated else look.marker
            axes.plot(training.seconds, training.losses, color=look.colour, marker=marker, markersize=4,
                      markerfacecolor="white", linewidth=1.0, label=plain(training.series),
                      gid=f"curve:{visible(training.series)}")  # fmt: skip
            figure.hover[f"curve:{visible(training.series)}"] = [
                f"{training.series}: {loss:.3g} after {seconds:.3g} s"
                for seconds, loss in zip(training.seconds, training.losses, strict=True)
            ]
        _label_short_axes(axes, "y")
        axes.set_xlabel("seconds of training")
        axes.set_ylabel("held-out error / bare method's")
        axes.set_title(plain(equation), loc="left", fontweight="bold")
        place_legend(figure, 3.4)
        return figure


def profile_figure(profile: Frame, looks: Mapping[str, Look]) -> Any:
    """Performance profiles: share solved within a factor of the cheapest."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(RC):
        figure: Any = Figure(figsize=(6.4, 3.4), layout="constrained")
        figure.hover = {}
        axes = figure.add_subplot()
        _logarithmic(axes, "x")
        factors = [float(c) for c in profile.columns if c != "solved"]
        for name in profile.index:
            look = looks[name]
            axes.plot(factors, profile.loc[name].drop("solved"), color=look.colour, marker=look.marker,
                      linestyle="--" if look.dashed else "-", markerfacecolor="white" if look.dashed else look.colour,
                      label=plain(name), drawstyle="steps-post", gid=f"curve:{visible(name)}")  # fmt: skip
            figure.hover[f"curve:{visible(name)}"] = [
                f"{name}: {share:.0%} within a factor of {factor:g}"
                for factor, share in zip(factors, profile.loc[name].drop("solved"), strict=True)
            ]
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("factor of the cheapest")
        axes.set_ylabel("share solved")
        place_legend(figure, 3.4)
        return figure


def render(figure: Any, kind: str) -> bytes:
    """The figure as ``svg``, ``pdf`` or ``png``, equal bytes for equal figures."""
    import matplotlib as mpl

    stamps = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
    buffer = BytesIO()
    with mpl.rc_context(RC), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the tables have it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format=kind, metadata=stamps[kind], dpi=130)
    return buffer.getvalue()
