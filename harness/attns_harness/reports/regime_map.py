"""The regime map: who wins, over the cost of an evaluation and the evaluations that one learned step replaces."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from attns_harness.analysis.frames import Frame
from attns_harness.reports.style import RC, plain

FORMAT = 1
WIN, TIE, LOSS = "#0072B2", "#6e6e6e", "#D55E00"
_COLOURS = {"win": WIN, "tie": TIE, "loss": LOSS}
_SHAPES = {"win": "o", "tie": "D", "loss": "s"}
_OPEN = "^"
"""A verdict that is none."""


def map_figure(found: Frame) -> Any:
    """Every comparison that both sides reach as a point; lines of equal classical time per learned step.

    A learned step costs tens of nanoseconds whatever it replaces, so wins lie above a line and losses
    below it. Comparisons that the learned side does not reach are listed beside the diagram.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = found[found["bar"] == "fastest classical"]
    placed = rows[rows["evaluations_per_step"].notna()]
    with mpl.rc_context(RC):
        figure: Any = Figure(figsize=(9.0, 4.8), layout="constrained")
        figure.hover = {}
        axes, beside = figure.subplots(1, 2, width_ratios=(3, 1.15))
        beside.set_axis_off()
        axes.set_xscale("log")
        axes.set_yscale("log")
        names = {name: i + 1 for i, name in enumerate(dict.fromkeys(rows["regime"]))}
        verdicts = sorted(placed["verdict"].unique(), key=[*_COLOURS, *placed["verdict"]].index)
        for verdict in verdicts:
            group = placed[placed["verdict"] == verdict]
            axes.scatter(group["evaluation_ns"], group["evaluations_per_step"], s=26, zorder=3,
                         color=_COLOURS.get(verdict, TIE), marker=_SHAPES.get(verdict, _OPEN),
                         label=f"{verdict} ({len(group)})")  # fmt: skip
        _lines(axes, placed)
        _labels(axes, placed, names)
        axes.set_xlabel("classical time per right-hand side (ns, linear algebra included)")
        axes.set_ylabel("right-hand sides that one learned step replaces")
        axes.set_title("Who wins at equal error", loc="left", fontweight="bold")
        if len(placed):
            axes.legend(loc="upper right", fontsize="small")
        lost = rows[rows["verdict"] == "not reached"]
        text = [f"{i} {plain(name)}" for name, i in names.items()]
        if len(lost):
            text += ["", "not reached by any learned step:"]
            text += [
                f"   {i}: @" + ", ".join(f"{e:.0e}" for e in lost.loc[lost["regime"] == name, "error"])
                for name, i in names.items()
                if (lost["regime"] == name).any()
            ]
        beside.text(0.0, 1.0, "\n".join(text), va="top", ha="left", fontsize="small", transform=beside.transAxes)
        return figure


_HEIGHT_PT, _CHARACTER_PT, _MARKER_PT = 8.5, 4.1, 4.0
"""Room of a label: its height and the width of a character; half the width of a marker."""


def _labels(axes: Any, placed: Frame, names: dict[str, int]) -> None:
    """Regime, ratio and error beside every point, from the top down, where they cover nothing."""
    # Positions are final once the layout is.
    axes.figure.draw_without_rendering()
    edge = axes.bbox.x1 * 72 / axes.figure.dpi
    points = axes.transData.transform(placed[["evaluation_ns", "evaluations_per_step"]].to_numpy(dtype=float))
    points *= 72 / axes.figure.dpi
    taken = [(x - _MARKER_PT, y - _MARKER_PT, x + _MARKER_PT, y + _MARKER_PT) for x, y in points]
    for i in np.argsort(-points[:, 1], kind="stable"):
        row = placed.iloc[i]
        ratio = min(row["ratio"], row["ratio_p99"]) if np.isfinite(row["ratio_p99"]) else row["ratio"]
        times = f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}"
        text = f"{names[row['regime']]}: {times}\u00d7 @{row['error']:.0e}"
        x, y = points[i]
        width = _CHARACTER_PT * len(text)
        right, left = 6.0, -6.0 - width
        # At its right, a little up or down, then at its left, then ever further away.
        steps = sorted((abs(n) + 1.5 * (dx < 0), -n, dx) for dx in (right, left) for n in range(-4, 5))
        offsets = [(dx, -5.0 * n - 3.0) for _, n, dx in steps]
        boxes = [(x + dx, y + dy, x + dx + width, y + dy + _HEIGHT_PT) for dx, dy in offsets]
        free = [k for k, b in enumerate(boxes) if b[2] < edge and not any(_overlap(b, other) for other in taken)]
        chosen = free[0] if free else 0
        taken.append(boxes[chosen])
        axes.annotate(text, (row["evaluation_ns"], row["evaluations_per_step"]), xytext=offsets[chosen],
                      textcoords="offset points", fontsize="x-small",
                      color=_COLOURS.get(row["verdict"], TIE))  # fmt: skip


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _lines(axes: Any, placed: Frame) -> None:
    if placed.empty:
        return
    low, high = axes.get_xlim()
    # Room for the labels at the right.
    high *= 2
    bottom, top = axes.get_ylim()
    x = np.geomspace(low, high, 50)
    for nanoseconds in (10, 100, 1000):
        axes.plot(x, nanoseconds / x, color="#bbbbbb", linewidth=0.8, linestyle=":", zorder=1)
        at = np.clip(nanoseconds / bottom, low, high)
        axes.text(at, max(nanoseconds / at, bottom), f"{nanoseconds} ns", fontsize="x-small", color=TIE,
                  ha="right", va="bottom")  # fmt: skip
    axes.set_xlim(low, high)
    axes.set_ylim(bottom, top)


def records(found: Frame, table: Frame, registry: Any) -> list[dict[str, Any]]:
    """What ``attns advise`` reads: one record per comparison with the fastest classical solver."""
    rows = []
    for row in found[found["bar"] == "fastest classical"].to_dict("records"):
        mine = table[table["problem"] == row["problem"]]
        first = mine.iloc[0]
        equation = None
        if registry is not None and first["equation"] in registry.names("equation"):
            equation = registry.get("equation", first["equation"])
        chosen = mine[(mine["series"] == row["learned"]) & (mine["control"] == row["dt"])]
        steps = float(chosen["n_steps"].mean()) if len(chosen) else float("nan")
        record = {
            "regime": row["regime"],
            "equation": first["equation"],
            "params": first["params"],
            "tags": sorted(equation.tags) if equation is not None else [],
            "t_end": float(first["t_end"]),
            "n_trajectories": int(first["n_trajectories"]),
            "learned_step_ns": row["learned_ns"] / steps,
            "evaluations_in_step": float((chosen["nfe"] / chosen["n_steps"]).mean()) if len(chosen) else None,
            "recipe": str(chosen["recipe"].iloc[0]) if len(chosen) else "",
            "train_trajectories": float(chosen["train_trajectories"].iloc[0]) if len(chosen) else None,
            **{k: row[k] for k in _KEPT},
        }
        rows.append({k: _plain(v) for k, v in record.items()})
    return rows


_KEPT = (
    "error",
    "verdict",
    "ratio",
    "low",
    "high",
    "ratio_p99",
    "target",
    "met",
    "learned",
    "dt",
    "learned_ns",
    "learned_error",
    "learned_p99",
    "classical",
    "classical_ns",
    "break_even",
    "quickest",
    "quickest_ratio",
    "quickest_break_even",
    "training_s",
    "evaluation_ns",
    "evaluations_per_step",
    "polynomial_ratio",
    "seeds",
)


def write_regime_map(found: Frame, table: Frame, registry: Any, out: Path) -> list[Path]:
    """``regime_map.json``: the comparisons, and the machine they were timed on."""
    facts = {
        "format": FORMAT,
        "cpu": sorted({str(v) for v in table["cpu"].dropna()}) if "cpu" in table else [],
        "attns": sorted({str(v) for v in table["attns_version"].dropna()}) if "attns_version" in table else [],
        "comparisons": records(found, table, registry),
    }
    path = out / "regime_map.json"
    path.write_text(json.dumps(facts, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    return [path]


def _plain(value: Any) -> Any:
    """A JSON value: numbers rounded to four digits, None for what is missing or infinite."""
    if isinstance(value, float | np.floating):
        return float(f"{value:.4g}") if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
