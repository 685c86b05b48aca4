"""The fairness report: a study checks itself, and names the rows that fail."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_harness.analysis.frames import Frame
from attns_harness.analysis.table import timed_on
from attns_harness.states import FAILED

STRONG_ORDER = 7
"""Order from which a classical method counts as strong on a smooth problem at tight errors."""
FEWEST_STEPS = 3
FEWEST_SEEDS = 3
STRONG_ORDER_STIFF = 4
"""The same on stiff equations, of a method made for them."""
REFERENCE_MARGIN = 10.0
"""The reference must be this many times more certain than the smallest error compared."""


@final
@dataclass(frozen=True, slots=True)
class Check:
    """One check of a study.

    Parameters
    ----------
    name : str
        The question.
    passed : bool or None
        None where the study has nothing that the question applies to.
    finding : str
        What was found, in one sentence.
    rows : tuple of str
        Cells or problems that fail it; at most 50, ``failing`` has their number.
    failing : int
    """

    name: str
    passed: bool | None
    finding: str
    rows: tuple[str, ...] = ()
    failing: int = 0

    @property
    def verdict(self) -> str:
        return "does not apply" if self.passed is None else ("passes" if self.passed else "fails")


def fairness(table: Frame, registry: Any = None, claimed: Mapping[str, float] | None = None) -> list[Check]:
    """Every check on prepared result rows; the registry knows orders of methods and forms of correctors.

    ``claimed`` is the smallest error that the study compares at, by problem, where its matrix says so:
    smaller errors count as the reference's uncertainty and claim nothing.
    """
    learned = table[table["learned"]]
    classical = table[~table["learned"]]
    checks: tuple[Callable[[], Check], ...] = (
        lambda: _strong_baseline(learned, classical, registry),
        lambda: _swept_baseline(learned, classical),
        lambda: _simple_baselines(learned, registry),
        lambda: _equal_settings(table),
        lambda: _training_counted(learned),
        lambda: _separate_data(learned),
        lambda: _seeds(table, learned),
        lambda: _reference(table, claimed or {}),
        lambda: _timed(table, by_regime=claimed is not None),
        lambda: _one_machine(table),
        lambda: _counted(table),
        lambda: _failures(table),
    )
    return [check() for check in checks]


def _result(name: str, failing: Iterable[object], good: str, bad: str) -> Check:
    rows = [str(r) for r in failing]
    if not rows:
        return Check(name, True, good)
    return Check(name, False, bad, tuple(rows[:50]), len(rows))


def _strong_baseline(learned: Frame, classical: Frame, registry: Any) -> Check:
    name = "Is a strong classical baseline present?"
    if learned.empty:
        return Check(name, None, "No learned solver takes part.")
    order = _orders(classical, registry)
    missing = []
    for problem in sorted(learned["problem"].unique()):
        rows = classical[(classical["problem"] == problem) & classical["ok"]]
        methods, equation = rows["method"].unique(), _equation_of(rows, registry)
        strong = any(order.get(m, 0) >= STRONG_ORDER for m in methods)
        if equation is not None and not strong:
            # The solver that the equation names because no general one serves it, or one for stiff equations.
            strong = bool((rows["solver"] == equation.solver).any())
            strong = strong or ("stiff" in equation.tags and _strong_on_stiff(methods, order, registry))
        if not strong:
            missing.append(problem)
    needed = (
        f"order {STRONG_ORDER} or more, on stiff equations a stiff one of order {STRONG_ORDER_STIFF} or more, or the "
        "solver that the equation names"
    )
    return _result(
        name,
        missing,
        f"Every problem with a learned solver has a classical method of {needed}.",
        f"No classical method of {needed} finished on these problems.",
    )


def _equation_of(rows: Frame, registry: Any) -> Any:
    """The registered equation of a problem's rows; None where there is none."""
    name = rows["equation"].iloc[0] if len(rows) else None
    return registry.equation(name) if registry is not None and name in registry.names("equation") else None


def _strong_on_stiff(methods: Any, order: dict[str, float], registry: Any) -> bool:
    """Whether a method made for stiff equations took part."""
    known = [m for m in methods if m in registry.names("method")]
    return any("stiff" in registry.method(m).tags and order.get(m, 0) >= STRONG_ORDER_STIFF for m in known)


def _orders(classical: Frame, registry: Any) -> dict[str, float]:
    """Method -> order, from the registry or the table."""
    orders: dict[str, float] = {}
    if "order" in classical:
        orders = classical.dropna(subset=["order"]).groupby("method")["order"].first().to_dict()
    if registry is not None:
        known = set(registry.names("method"))
        orders |= {m: registry.method(m).order for m in classical["method"].unique() if m in known}
    return orders


def _swept_baseline(learned: Frame, classical: Frame) -> Check:
    name = "Are classical baselines swept over steps or tolerances?"
    if learned.empty:
        return Check(name, None, "No learned solver takes part.")
    few = []
    for problem in sorted(learned["problem"].unique()):
        rows = classical[classical["problem"] == problem]
        few += [f"{problem}: {s}" for s, g in rows.groupby("series") if g["control"].nunique() < FEWEST_STEPS]
        few += [f"{problem}: no classical solver at all"] if rows.empty else []
    return _result(
        name,
        few,
        f"Every classical curve has at least {FEWEST_STEPS} steps or tolerances.",
        f"These classical curves have fewer than {FEWEST_STEPS} steps or tolerances.",
    )


def _simple_baselines(learned: Frame, registry: Any) -> Check:
    name = "Are simple learned baselines (linear, polynomial) present?"
    if learned.empty:
        return Check(name, None, "No learned solver takes part.")
    known = set() if registry is None else set(registry.names("corrector"))

    def simple(corrector: str) -> bool:
        if registry is not None and corrector in known:
            return registry.corrector(corrector).features == "polynomial"
        return any(word in corrector for word in ("linear", "polynomial"))

    missing = [p for p, rows in learned.groupby("problem") if not any(simple(c) for c in rows["corrector"].unique())]
    return _result(
        name,
        missing,
        "Every problem with a learned solver has a least-squares baseline beside it.",
        "These problems have networks but no linear or polynomial least-squares corrector.",
    )


def _equal_settings(table: Frame) -> Check:
    name = "Are precision, backend, threads, ensemble and saving equal for all solvers of a problem?"
    # A black box has no backend; everything else binds it too.
    settings = ("dtype", "threads", "n_trajectories", "timed_trajectories", "save_every", "cpu", "backend")
    columns = [c for c in settings if c in table]
    differing = []
    for problem, rows in table[table["ok"]].groupby("problem"):
        for column in columns:
            bound = rows[~rows["third_party"]] if column == "backend" else rows
            values = sorted(str(v) for v in bound[column].dropna().unique())
            if len(values) > 1:
                differing.append(f"{problem}: {column} is {', '.join(values[:6])}")
    return _result(
        name,
        differing,
        f"Equal within every problem: {', '.join(columns)}.",
        "These settings differ within a problem: compare only rows that share them.",
    )


def _training_counted(learned: Frame) -> Check:
    name = "Is the cost of training counted?"
    rows = learned[learned["ok"]]
    if rows.empty:
        return Check(name, None, "No learned solver finished.")
    bad = rows[rows["train_seconds"].isna() | rows["data_seconds"].isna()]
    return _result(
        name,
        bad["cell_id"],
        "Every learned row states the seconds of its data generation and of its training.",
        "These rows do not state the seconds of data generation and training; break-even leaves them out.",
    )


def _separate_data(learned: Frame) -> Check:
    name = "Are test data separate from training data?"
    rows = learned[learned["ok"]]
    if rows.empty:
        return Check(name, None, "No learned solver finished.")
    # Black boxes learn from the training stream too, and choose for themselves what they hold out.
    bad = rows[rows["held_out_relative_error"].isna() & ~rows["third_party"]]
    return _result(
        name,
        bad["cell_id"],
        "Training, validation and evaluation draw from separate seed streams, and every corrector has an error on "
        "held-out trajectories.",
        "These rows have no error on held-out trajectories.",
    )


def _seeds(table: Frame, learned: Frame) -> Check:
    name = f"Are there at least {FEWEST_SEEDS} seeds?"
    rows = learned if len(learned) else table
    few = [f"{p}: {s} has {g['seed'].nunique()}" for (p, s), g in rows.groupby(["problem", "series"])
           if g["seed"].nunique() < FEWEST_SEEDS]  # fmt: skip
    if rows.empty:
        return Check(name, None, "The run has no cells.")
    return _result(
        name,
        few,
        f"Every {'learned' if len(learned) else ''} curve has at least {FEWEST_SEEDS} seeds.".replace("  ", " "),
        f"These curves have fewer than {FEWEST_SEEDS} seeds: their intervals are wide or absent.",
    )


def _reference(table: Frame, claimed: Mapping[str, float]) -> Check:
    name = "Is the reference good enough?"
    rows = table[table["ok"] & table["error_l2_scaled"].notna()]
    if rows.empty:
        return Check(name, None, "No cell has an error.")
    uncertain = rows["reference_uncertainty"].isna()
    smallest = rows["problem"].map(lambda p: claimed.get(p, 0.0)).astype(float)
    compared = np.maximum(rows["error_l2_scaled"], smallest)
    close = compared < REFERENCE_MARGIN * rows["reference_uncertainty"]
    return _result(
        name,
        rows.loc[uncertain | close, "cell_id"],
        f"Every error is at least {REFERENCE_MARGIN:g} times the reference's own uncertainty.",
        f"These errors are within {REFERENCE_MARGIN:g} times of the reference's uncertainty, or it is unknown: "
        "they are upper bounds.",
    )


def _timed(table: Frame, *, by_regime: bool) -> Check:
    name = "Were all compared cells timed?"
    rows = table[table["ok"]]
    if rows.empty:
        return Check(name, None, "No cell finished.")
    bad = rows[rows["time_per_trajectory_s"].isna()]
    if by_regime:
        # A series without any time is about errors alone: a regime compares timed cells only.
        timed = rows["time_per_trajectory_s"].notna().groupby([rows["problem"], rows["series"]]).transform("any")
        bad = bad[timed.loc[bad.index]]
    return _result(
        name,
        bad["cell_id"],
        "Every compared cell has timings, its own or those of the cell that differs in the seed alone.",
        "These cells were not timed; comparisons of time leave them out, comparisons of operations do not.",
    )


def _one_machine(table: Frame) -> Check:
    name = "Were the times of every problem taken on one machine?"
    machines = {problem: timed_on(rows) for problem, rows in table.groupby("problem", sort=True)}
    if not any(machines.values()):
        return Check(name, None, "The run was not timed, or its rows do not name their machine.")
    return _result(
        name,
        [f"{problem}: {', '.join(found)}" for problem, found in machines.items() if len(found) > 1],
        "Every problem's times were taken on processors of one kind.",
        "These problems were timed on several kinds of processors: no ratio of their times means anything.",
    )


def _counted(table: Frame) -> Check:
    name = "Where nothing was timed: is every solver's cost known?"
    rows = table[table["ok"]]
    if rows.empty or rows["time_min_s"].notna().any():
        return Check(name, None, "No cell finished." if rows.empty else "The run was timed.")
    bad = rows[rows["operations"].isna()]
    return _result(
        name,
        sorted({f"{r.problem}: {r.series}" for r in bad.itertuples()}),
        "The operations of every finished cell are counted, those of correctors included.",
        "The operations of these solvers are not counted (black boxes do not say what their steps compute, older runs "
        "have no count): comparisons leave them out.",
    )


def _failures(table: Frame) -> Check:
    name = "Did every cell run?"
    bad = table[table["state"].isin([*FAILED, "interrupted", "not_run"])]
    share = len(bad) / max(len(table), 1)
    return _result(
        name,
        bad["cell_id"] + " (" + bad["state"] + ")" if len(bad) else (),
        "No cell failed; diverged ones are results and are counted as such.",
        f"{len(bad)} of {len(table)} cells ({np.round(100 * share, 1):g} %) have no result.",
    )
