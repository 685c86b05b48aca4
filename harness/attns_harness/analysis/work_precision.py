"""Work-precision sets: every solver a curve of error against cost, never one number.

The vocabulary is DiffEqDevTools'; unlike there a failed solve stays in the set as a point that says
why, points below the reference's own uncertainty are flagged, every error norm of a run is kept, and
a set can be saved, loaded, merged and filtered by tags.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from attns_core import AttnsError
from attns_harness.analysis.curve import Curve
from attns_harness.analysis.frames import Column, Frame, pd
from attns_harness.analysis.table import prepare

FORMAT = 1

COSTS = {
    "time": ("time_per_trajectory_s", "time per trajectory (s)"),
    "nfe": ("nfe", "right-hand-side evaluations per trajectory"),
    "steps": ("n_steps", "steps per trajectory"),
    "operations": ("operations", "floating-point operations per trajectory"),
}
"""Cost axis -> column and label."""

ERRORS = {
    "error_l2_scaled": "error, l2, component-scaled",
    "error_final_scaled": "error at the end, component-scaled",
    "error_linf_scaled": "error, l-infinity, component-scaled",
    "error_p99_scaled": "error, l2, component-scaled, 99th percentile over trajectories",
    "error_l2_rel": "error, l2, relative",
    "error_final_rel": "error at the end, relative",
    "error_linf_rel": "error, l-infinity, relative",
    "error_l2": "error, l2",
    "error_final": "error at the end",
    "error_linf": "error, l-infinity",
    "invariant_drift": "drift of invariants, relative",
}
"""Error column -> label, in order of preference for the main plot."""


@final
@dataclass(frozen=True, eq=False)
class WorkPrecisionSet:
    """All curves of a run, or of several merged.

    Parameters
    ----------
    table : DataFrame
        Prepared result rows, one per cell, failures included.
    tags : mapping of str to frozenset of str
        Solver -> tags (``learned``, ``classical``, ``adaptive``, a method's family, ``order-4``, a provider).
    """

    table: Frame
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def from_table(cls, table: Frame, registry: Any = None) -> "WorkPrecisionSet":
        """From result rows as the runner writes them; tags come from the registry where there is one."""
        prepared = table if "series" in table else prepare(table, registry)
        return cls(prepared, {name: _tags(rows, registry) for name, rows in prepared.groupby("solver")})

    @cached_property
    def _indices(self) -> dict[tuple[str, str], Any]:
        return self.table.groupby(["problem", "series"]).indices

    @property
    def problems(self) -> list[str]:
        return sorted(self.table["problem"].unique())

    def series(self, problem: str | None = None) -> list[str]:
        """Series of a problem (of all), classical ones first, each group by name."""
        rows = self.table if problem is None else self.table[self.table["problem"] == problem]
        learned = rows.groupby("series")["learned"].any()
        return sorted(learned.index, key=lambda name: (bool(learned[name]), name))

    def compared(self, problem: str) -> list[str]:
        """Series that comparisons are made for: the learned ones and the third-party ones."""
        rows = self.table[self.table["problem"] == problem]
        return [
            s for s in self.series(problem) if rows.loc[rows["series"] == s, ["learned", "third_party"]].any(axis=None)
        ]

    def curve(self, problem: str, series: str, *, error: str = "error_l2_scaled", cost: str = "time") -> Curve:
        """One curve.

        Raises
        ------
        AttnsError
            For an unknown cost axis or a column that the table does not have.
        """
        wanted = (problem, series, error, cost)
        if wanted not in self._curves:
            self._curves[wanted] = self._curve(problem, series, error, cost)
        return self._curves[wanted]

    @cached_property
    def _curves(self) -> dict[tuple[str, str, str, str], Curve]:
        return {}

    def _curve(self, problem: str, series: str, error: str, cost: str) -> Curve:
        if cost not in COSTS:
            raise AttnsError(f"unknown cost {cost!r}; known: {', '.join(COSTS)}")
        if error not in self.table:
            raise AttnsError(f"the table has no column {error!r}; errors it has: {', '.join(self.errors())}")
        rows = self.table.iloc[self._indices.get((problem, series), [])]
        price = rows[COSTS[cost][0]]
        usable = rows["ok"] & rows[error].notna() & price.notna() & (price > 0)
        points = rows[usable].sort_values(COSTS[cost][0], kind="stable")
        return Curve(
            problem=problem,
            series=series,
            learned=bool(rows["learned"].any()),
            error=points[error].to_numpy(),
            cost=points[COSTS[cost][0]].to_numpy(),
            control=points["control"].to_numpy(),
            seed=points["seed"].fillna(0).to_numpy(),
            uncertainty=_uncertainty(points, error).to_numpy(),
            adaptive=points["adaptive"].to_numpy(dtype=bool),
            failures=_why(rows[~usable], error, cost),
        )

    def listed(self, *, error: str = "error_l2_scaled", cost: str = "time") -> Frame:
        """Every point of every curve and every failure, one row each.

        Columns ``problem``, ``series``, ``learned``, ``control``, ``seed``, ``error``, ``cost``,
        ``uncertainty``, ``below_reference``, ``state``, ``reason``; failures have no error that counts.
        """
        frames = []
        for problem in self.problems:
            for name in self.series(problem):
                c = self.curve(problem, name, error=error, cost=cost)
                mean = {"control": c.control, "seed": c.seed, "error": c.error, "cost": c.cost,
                        "uncertainty": c.uncertainty, "below_reference": c.below_reference}  # fmt: skip
                lost = c.failures[["control", "seed", "state", "reason"]].assign(cost=c.failures[COSTS[cost][0]])
                both = [pd.DataFrame(mean).assign(state="ok", reason=""), lost]
                rows = pd.concat([f for f in both if len(f)]) if any(map(len, both)) else both[0]
                frames.append(rows.assign(problem=problem, series=name, learned=c.learned))
        columns = ["problem", "series", "learned", *(pd.concat(frames).columns.drop(["problem", "series", "learned"]))]
        return pd.concat(frames, ignore_index=True)[columns]

    def errors(self) -> list[str]:
        """Error columns that hold at least one number, in order of preference."""
        return [name for name in ERRORS if name in self.table and self.table[name].notna().any()]

    def failures(self) -> Frame:
        """Rows that are not ``ok``, with their reasons."""
        return self.table[~self.table["ok"]]

    def filter(self, *tags: str, problem: str | None = None, series: Iterable[str] | None = None) -> "WorkPrecisionSet":
        """Keep solvers that carry all ``tags``, and rows of the given problem and series."""
        keep = self.table["solver"].map(lambda s: set(tags) <= self.tags.get(s, frozenset())).astype(bool)
        if problem is not None:
            keep &= self.table["problem"] == problem
        if series is not None:
            keep &= self.table["series"].isin(list(series))
        return self._rows(keep)

    def exclude(self, *tags: str) -> "WorkPrecisionSet":
        """Drop solvers that carry any of ``tags``."""
        unwanted = self.table["solver"].map(lambda s: bool(set(tags) & self.tags.get(s, frozenset())))
        return self._rows(~unwanted.astype(bool))

    def over(self, axis: Literal["train_trajectories", "width"]) -> "WorkPrecisionSet":
        """The same cells with learned solvers swept over training data or width instead of the step.

        A learned series is then a solver at one step and becomes a curve over the axis, which is its
        ``control``; classical series stay swept over their steps or tolerances.

        Raises
        ------
        AttnsError
            If no learned solver of the set varies in it.
        """
        rows = self.table
        swept = rows["learned"] & rows[axis].notna() & rows["control"].notna()
        if not swept.any() or rows.loc[swept, axis].nunique() < 2:
            raise AttnsError(f"no learned solver of these results has two values of {axis!r}")
        kind = np.where(rows["adaptive"], "rtol", "dt")
        names = [
            f"{_without(name, axis)}, {k}={c:g}" if moved else name
            for name, k, c, moved in zip(rows["series"], kind, rows["control"], swept, strict=True)
        ]
        return WorkPrecisionSet(rows.assign(series=names, control=rows[axis].where(swept, rows["control"])), self.tags)

    def merge(self, *others: "WorkPrecisionSet") -> "WorkPrecisionSet":
        """All rows of all sets; a cell that several hold is taken from the last."""
        rows = pd.concat([self.table, *(o.table for o in others)], ignore_index=True)
        rows = pd.concat(
            [rows[rows["cell_id"] == ""], rows[rows["cell_id"] != ""].drop_duplicates("cell_id", keep="last")]
        ).sort_index()
        tags = dict(self.tags)
        for other in others:
            tags.update({k: tags.get(k, frozenset()) | v for k, v in other.tags.items()})
        return WorkPrecisionSet(prepare(rows), tags)

    def save(self, path: Path) -> None:
        """Write ``path`` (Parquet); tags and the format's version travel in its metadata."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        header = {"format": FORMAT, "tags": {k: sorted(v) for k, v in sorted(self.tags.items())}}
        arrow = pa.Table.from_pandas(self.table, preserve_index=False)
        metadata = {**(arrow.schema.metadata or {}), b"attns_work_precision": json.dumps(header).encode()}
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(arrow.replace_schema_metadata(metadata), path)

    @classmethod
    def load(cls, path: Path) -> "WorkPrecisionSet":
        """Read what :meth:`save` wrote.

        Raises
        ------
        AttnsError
            If the file is no work-precision set, or of a later format.
        """
        import pyarrow.parquet as pq

        arrow = pq.read_table(path)
        raw = (arrow.schema.metadata or {}).get(b"attns_work_precision")
        header = json.loads(raw) if raw else {}
        if header.get("format") != FORMAT:
            raise AttnsError(f"{path} is not a work-precision set of format {FORMAT}")
        return cls(prepare(arrow.to_pandas()), {k: frozenset(v) for k, v in header["tags"].items()})

    def _rows(self, keep: Column) -> "WorkPrecisionSet":
        table = self.table[keep].reset_index(drop=True)
        solvers = set(table["solver"])
        return WorkPrecisionSet(table, {k: v for k, v in self.tags.items() if k in solvers})

    def _repr_html_(self) -> str:
        """For notebooks: a diagram per problem and the geometric means of every curve."""
        # The drawing side knows analyses, not the other way round, but for this display.
        from attns_harness.reports.notebook import work_precision_html

        return work_precision_html(self)


def _uncertainty(points: Frame, error: str) -> Column:
    """The reference's uncertainty in the norm of ``error``."""
    known = points["reference_uncertainty"].fillna(0.0)
    if error == "invariant_drift":
        # Measured against the invariant's own initial value, not against the reference.
        return known * 0.0
    scaled = f"{error.removesuffix('_rel')}_scaled"
    if error.endswith("_scaled") or scaled not in points:
        return known
    factor = points[error] / points[scaled].where(points[scaled] > 0)
    return known * factor.where(np.isfinite(factor), 1.0)


def _why(rows: Frame, error: str, cost: str) -> Frame:
    """The rows left out of a curve, each with a reason."""
    rows = rows.copy()
    missing = rows["ok"] & (rows["reason"] == "")
    rows.loc[missing & rows[error].isna(), "reason"] = f"{error} does not apply"
    rows.loc[missing & rows[COSTS[cost][0]].isna(), "reason"] = f"no {cost} was measured"
    return rows


def _without(series: str, axis: str) -> str:
    """A series' name without the value of an axis, wherever it stands: an option, or at the end."""
    if axis == "width":
        series = re.sub(r"\[width=[^,\]]*\]|(?<=\[)width=[^,\]]*,|,width=[^,\]]*(?=[,\]])", "", series)
        return re.sub(r", width [^,]+", "", series)
    return re.sub(r", [^ ,]+ traj\.", "", series)


def _tags(rows: Frame, registry: Any) -> frozenset[str]:
    """Tags of a solver: from its rows, its method, its corrector and its black box."""
    tags = {"learned" if rows["learned"].any() else "classical"}
    tags.add("adaptive" if rows["adaptive"].any() else "fixed")
    if registry is not None:
        for kind in ("method", "corrector", "solver"):
            for name in set(rows[kind]) & set(registry.names(kind)):
                found = registry.get(kind, name)
                tags |= set(found.tags)
                tags.add(registry.owner(kind, name).distribution or "file")
                if kind == "method":
                    tags.add(f"order-{found.order}")
    return frozenset(tags)
