"""The regime map: who wins, over the cost of an evaluation and the evaluations that one learned step replaces."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from attns_harness.analysis.frames import Frame
from attns_harness.reports.style import RC, plain

FORMAT = 1
WIN, TIE, LOSS = "#0072B2", "#999999", "#D55E00"
_COLOURS = {"win": WIN, "tie": TIE, "loss": LOSS}


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
        for verdict, group in placed.groupby("verdict"):
            colour = _COLOURS.get(str(verdict), TIE)
            axes.scatter(group["evaluation_ns"], group["evaluations_per_step"], s=26, color=colour, zorder=3,
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
            text += [f"   {names[n]}: @" + ", ".join(f"{e:.0e}" for e in g["error"]) for n, g in lost.groupby("regime")]
        beside.text(0.0, 1.0, "\n".join(text), va="top", ha="left", fontsize="small", transform=beside.transAxes)
        return figure


LABEL_WIDTH, LABEL_HEIGHT = 80.0, 8.5
"""Room of a label, points."""


def _labels(axes: Any, placed: Frame, names: dict[str, int]) -> None:
    """Regime, ratio and error beside every point; from the top down, each below those that it would cover."""
    points = axes.transData.transform(placed[["evaluation_ns", "evaluations_per_step"]].to_numpy(dtype=float))
    points *= 72 / axes.figure.dpi
    taken: list[tuple[float, float]] = []
    for i in np.argsort(-points[:, 1], kind="stable"):
        row = placed.iloc[i]
        x, y = points[i] + (4.0, 3.0)
        for left, bottom in sorted(taken, key=lambda at: -at[1]):
            if abs(left - x) < LABEL_WIDTH and bottom - LABEL_HEIGHT < y < bottom + LABEL_HEIGHT:
                y = bottom - LABEL_HEIGHT
        taken.append((x, y))
        ratio = min(row["ratio"], row["ratio_p99"]) if np.isfinite(row["ratio_p99"]) else row["ratio"]
        times = f"{ratio:.2g}" if ratio < 100 else f"{ratio:.0f}"
        axes.annotate(f"{names[row['regime']]}: {times}\u00d7 @{row['error']:.0e}",
                      (row["evaluation_ns"], row["evaluations_per_step"]), xytext=(4.0, y - points[i][1]),
                      textcoords="offset points", fontsize="x-small",
                      color=_COLOURS.get(row["verdict"], TIE))  # fmt: skip


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
        axes.text(at, max(nanoseconds / at, bottom), f"{nanoseconds} ns", fontsize="x-small", color="#888888",
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
