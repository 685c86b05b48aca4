"""Regimes: where a learned step wins over the fastest classical solver at equal delivered error, and where not.

Both sides deliver the same error in two senses. In root mean square the classical solver is read at
the level itself, while the learned cell must stay below it with every training seed, so what it
delivers beyond the level counts for nothing. In the 99th percentile over trajectories the classical
solver must reach what the learned cell delivers. The verdict rests on the smaller of the two ratios.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_harness.analysis.crossing import cost_at, fastest
from attns_harness.analysis.curve import Curve
from attns_harness.analysis.equal_error import classical_besides, of_seed
from attns_harness.analysis.frames import Frame, pd
from attns_harness.analysis.intervals import Interval, geometric_interval, mean_interval
from attns_harness.analysis.table import timed_on
from attns_harness.analysis.work_precision import WorkPrecisionSet
from attns_harness.matrix import Regime

RMS, TAIL = "error_l2_scaled", "error_p99_scaled"
TIE = 1.1
"""Ratios within this factor of 1 are ties: repeated timings of one kernel differ by as much."""

COLUMNS = (
    "regime",
    "problem",
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
    "learned_max",
    "classical",
    "classical_ns",
    "polynomial_ratio",
    "break_even",
    "training_s",
    "evaluation_ns",
    "evaluations_per_step",
    "quickest",
    "quickest_ratio",
    "quickest_ratio_p99",
    "quickest_break_even",
    "bar",
    "seeds",
    "cpu",
)


@final
@dataclass(frozen=True)
class _Candidate:
    """One learned series at one step, from one recipe and amount of data: a cell per seed."""

    series: str
    control: float
    rows: Frame

    @property
    def seconds(self) -> float:
        return float(self.rows["time_per_trajectory_s"].min())

    @property
    def training(self) -> float:
        return float((self.rows["train_seconds"] + self.rows["data_seconds"]).mean())

    def delivers(self, level: float) -> bool:
        """Whether every seed finished, was timed and stays below the level."""
        rows = self.rows
        return bool(rows["ok"].all() and rows["time_per_trajectory_s"].notna().all() and (rows[RMS] <= level).all())


def regimes(
    points: WorkPrecisionSet,
    wanted: Sequence[Regime],
    polynomials: Iterable[str] = (),
    baselines: Iterable[str] = (),
) -> Frame:
    """One row per regime, level and bar.

    Parameters
    ----------
    polynomials : iterable of str
        Correctors that are least squares on monomials; they are listed beside the learned ones and never
        count as such.
    baselines : iterable of str
        Solvers that learn and are bars alone, such as a fitted force: neither learned nor classical side.

    Returns
    -------
    DataFrame
        ``ratio`` is the time of the fastest classical solver (or of ``bar``) over the learned one's at
        equal RMS, geometric mean over seeds with its 95 % interval, ``ratio_p99`` the same at equal 99th
        percentile. ``verdict``: ``win``, ``tie`` or ``loss`` by the smaller of them; ``not reached`` (a
        loss) where no learned cell delivers the error with every seed; ``classical does not reach it``;
        ``undetermined`` where the classical solver's coarsest step is already more accurate.
        ``break_even`` counts trajectories until the learned cell has repaid its training, and ``quickest``
        names the cell that does so first of all whose smaller ratio is at least the target (above a tie
        where there is none), with its ratios and its break-even: the aim in ``Regime.break_even`` is
        judged on it. ``evaluation_ns`` is the classical time per evaluation of the right-hand side, linear algebra
        included, ``evaluations_per_step`` how many of them one learned step replaces, ``cpu`` what was timed on.
    """
    rows: list[dict[str, Any]] = []
    for regime in wanted:
        for problem in _problems(points.table, regime):
            table = points.table[points.table["problem"] == problem]
            found = _candidates(table[table["learned"] & ~table["solver"].isin(set(baselines))])
            simple = [c for c in found if c.rows["corrector"].iloc[0] in set(polynomials)]
            learned = [c for c in found if c not in simple]
            for level in regime.levels:
                for bar, target in ((None, regime.target), *regime.bars.items()):
                    compared = _compare(points, problem, learned, simple, level, bar, target)
                    row = {"regime": regime.name, "problem": problem, "error": level, "target": target, **compared}
                    row["cpu"] = ", ".join(timed_on(table))
                    row["met"] = _met(row, target, regime.break_even if bar is None else None)
                    rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)


def _problems(table: Frame, regime: Regime) -> list[str]:
    """Names of the problems a regime is about: one, or none in a run that left it out."""
    from attns_harness.specs import params_label

    label = params_label({k: tuple(v) if isinstance(v, list) else v for k, v in regime.params.items()})
    mine = (table["equation"] == regime.equation) & (table["params"] == (label or ""))
    if regime.t_end is not None:
        mine &= np.isclose(table["t_end"], regime.t_end)
    return sorted(table.loc[mine, "problem"].unique())


def _candidates(rows: Frame) -> list[_Candidate]:
    # What was trained otherwise is another candidate, also where a name for it was not needed in diagrams.
    trained = [c for c in ("train_trajectories", "train_t_end", "noise", "recipe") if c in rows]
    grouped = rows.groupby(["series", "control", *trained], sort=True, dropna=False)
    return [_Candidate(str(series), float(control), group) for (series, control, *_), group in grouped]


def _compare(
    points: WorkPrecisionSet,
    problem: str,
    learned: list[_Candidate],
    simple: list[_Candidate],
    level: float,
    bar: str | None,
    target: float | None,
) -> dict[str, Any]:
    curves = {
        error: {
            name: points.curve(problem, name, error=error, cost="time")
            for name in points.series(problem)
            if bar is None or name == bar
        }
        for error in (RMS, TAIL)
    }
    # A bar is what the matrix names, even one that learned; the fastest of all is a classical solver.
    classical = curves if bar else {error: classical_besides("", found) for error, found in curves.items()}
    row: dict[str, Any] = {"bar": bar or "fastest classical", "verdict": "not reached"}
    found = [
        _measured(points, problem, candidate, classical, level) for candidate in learned if candidate.delivers(level)
    ]
    polynomial = [_ratio(classical[RMS], candidate, level).value for candidate in simple if candidate.delivers(level)]
    row["polynomial_ratio"] = max(polynomial, default=float("nan"))
    if not found:
        names = [fastest(of_seed(classical[RMS], seed), level) for seed in _seeds(classical[RMS])]
        reached = [(name, reading.value) for name, reading in names if reading.reached]
        if reached:
            row |= {"classical": Counter(n for n, _ in reached).most_common(1)[0][0]}
            row |= {"classical_ns": 1e9 * geometric_interval([v for _, v in reached]).value}
        return row
    return row | max(found, key=_score) | _quickest(found, target)


def _score(measured: dict[str, Any]) -> float:
    """What the best cell is chosen by. A bar that nothing reaches prefers none: there the cheapest counts."""
    score = min(measured["ratio"], measured["ratio_p99"])
    return score if np.isfinite(score) else -measured["learned_ns"]


def _quickest(found: list[dict[str, Any]], target: float | None) -> dict[str, Any]:
    """The cell that repays its training first, of those fast enough; nothing where none is."""
    least = TIE if target is None else target
    fast = [m for m in found if min(m["ratio"], m["ratio_p99"]) >= least and np.isfinite(m["break_even"])]
    if not fast:
        return {}
    first = min(fast, key=lambda m: m["break_even"])
    return {"quickest": f"{first['learned']} at {first['dt']:g}"} | {
        f"quickest_{name}": first[name] for name in ("ratio", "ratio_p99", "break_even")
    }


def _seeds(classical: dict[str, Curve]) -> list[float]:
    return sorted({float(s) for curve in classical.values() for s in curve.seed})


def _measured(
    points: WorkPrecisionSet,
    problem: str,
    candidate: _Candidate,
    classical: dict[str, dict[str, Curve]],
    level: float,
) -> dict[str, Any]:
    own, rows = candidate.seconds, candidate.rows
    row: dict[str, Any] = {
        "learned": candidate.series,
        "dt": candidate.control,
        "learned_ns": 1e9 * own,
        "learned_error": float(rows[RMS].max()),
        "learned_p99": float(rows[TAIL].max()),
        "learned_max": float(rows["error_linf_scaled"].max()),
        "training_s": candidate.training,
        "seeds": int(rows["seed"].nunique()),
    }
    equal = _ratio(classical[RMS], candidate, level)
    tail = _ratio(classical[TAIL], candidate, None)
    row |= {"ratio": equal.value, "low": equal.low, "high": equal.high, "ratio_p99": tail.value}
    if not np.isfinite(equal.value):
        return row | {"verdict": "classical does not reach it"}
    names, times = _fastest(classical[RMS], candidate, level)
    name = Counter(names).most_common(1)[0][0]
    row |= {"classical": name, "classical_ns": 1e9 * geometric_interval(times).value}
    row |= _work(points.table, problem, name, float(row["classical_ns"]), rows)
    saved = mean_interval([t - own for t in times]).value
    row["break_even"] = candidate.training / saved if saved > 0 else float("inf")
    bounds = [b for b in (equal.value, equal.low, tail.value) if b is not None and np.isfinite(b)]
    least, most = min(bounds), max(b for b in (equal.value, equal.high) if b is not None)
    verdict = "win" if least > TIE else "loss" if most < 1 / TIE else "tie"
    if verdict != "loss" and _bounded(classical[RMS], names, level):
        verdict = "undetermined"
    return row | {"verdict": verdict}


def _bounded(classical: dict[str, Curve], names: list[str], level: float) -> bool:
    """Whether the fastest classical solver might have been faster: its coarsest cell delivers, none failed."""
    return any(len(classical[n].failures) == 0 and cost_at(classical[n], level).status == "at most" for n in set(names))


def _fastest(classical: dict[str, Curve], candidate: _Candidate, level: float | None) -> tuple[list[str], list[float]]:
    """The fastest classical solver per seed, and its seconds; at the candidate's own 99th percentile without level."""
    names, times = [], []
    for seed, error in zip(candidate.rows["seed"], candidate.rows[TAIL], strict=True):
        name, reading = fastest(of_seed(classical, float(seed)), float(error) if level is None else level)
        if reading.reached:
            names.append(name)
            times.append(reading.value)
    return names, times


def _ratio(classical: dict[str, Curve], candidate: _Candidate, level: float | None) -> Interval:
    _, times = _fastest(classical, candidate, level)
    if len(times) < len(candidate.rows):
        return Interval(float("nan"), None, None, 0)
    found = geometric_interval([t / candidate.seconds for t in times])
    # A classical side run with one seed has no spread over seeds: that is no interval of width zero.
    return Interval(found.value, None, None, found.n) if found.low == found.high else found


def _work(table: Frame, problem: str, series: str, nanoseconds: float, learned: Frame) -> dict[str, float]:
    """What an evaluation costs the classical solver, and how many of them a learned step stands for."""
    rows = table[(table["problem"] == problem) & (table["series"] == series) & table["nfe"].notna()]
    per_evaluation = float((1e9 * rows["time_per_trajectory_s"] / rows["nfe"]).median())
    steps = float(learned["n_steps"].mean())
    return {"evaluation_ns": per_evaluation, "evaluations_per_step": nanoseconds / per_evaluation / steps}


def _met(row: dict[str, Any], target: float | None, most: float | None) -> str:
    """Whether the target is met by both ratios, and the aim for the break-even by a cell that meets the target."""
    if target is None:
        return ""
    if row["verdict"] in ("not reached", "classical does not reach it", "undetermined"):
        return "no" if row["verdict"] == "not reached" else "undecided"
    fast = min(row["ratio"], row["ratio_p99"]) >= target
    cheap = most is None or row.get("quickest_break_even", np.inf) <= most
    return "yes" if fast and cheap else "no" if not fast else "ratio yes, break-even no"
