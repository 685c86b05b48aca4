"""Sampled trajectories: which runs are worth a picture, solved once more and kept as a small table.

A result row has errors and counters, no states. For every problem the best, the median and a diverged
cell are solved again in workers of their own, from the row's coordinates; stored references and weights
are used where they still are, and made anew where not (a published run has its tables alone). What
reports draw is ``tables/trajectories.parquet``, a few hundred kilobytes, so that a report made from
stored tables shows the same pictures.
"""

import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from attns_core.equation import Equation
from attns_core.metric import Outcome as Measured
from attns_core.registry import Registry
from attns_harness import artefacts
from attns_harness.analysis.frames import Frame
from attns_harness.analysis.table import prepare
from attns_harness.cells import Cell
from attns_harness.executors.local import LocalExecutor
from attns_harness.matrix_file import MatrixFile
from attns_harness.outcome import Outcome
from attns_harness.plan import PlannedCell, make_plan
from attns_harness.runner import plugin_files
from attns_harness.store import read_store
from attns_harness.tables import coordinates, read_results
from attns_harness.tasks import Report, Task, WorkerContext

FILE = "trajectories.parquet"
ROLES = ("best", "median", "diverged")
MOST_TIMES = 400
"""Saved times of a kept trajectory: as many as a figure of a column's width can show."""
_BLOB = "trajectory.npz"
_ALIKE, _ROUNDING = 1.5, 1e-11


def chosen_cells(table: Frame) -> Frame:
    """The rows to draw: per problem the best, the median and the most diverged cell, with their ``role``.

    Parameters
    ----------
    table : DataFrame
        Prepared rows. Where a problem has learned solvers, best and median are taken among them, and
        so is the diverged cell unless only classical ones diverge.

    Returns
    -------
    DataFrame
        At most three rows per problem, with the columns of ``table`` and ``role``.
    """
    found = []
    for _, rows in table.groupby("problem", sort=False):
        learned = rows[rows["learned"]]
        pool = learned if len(learned) else rows
        usable = pool[pool["ok"] & (pool["error_l2_scaled"] > 0)].sort_values(["error_l2_scaled", "cell_id"])
        if len(usable):
            found.append(usable.iloc[[0]].assign(role="best"))
        if len(usable) > 2:
            found.append(usable.iloc[[len(usable) // 2]].assign(role="median"))
        lost = rows[(rows["state"] == "diverged") & (rows["diverged_fraction"] > 0)]
        lost = lost[lost["learned"]] if lost["learned"].any() else lost
        if len(lost):
            order = lost.sort_values(["diverged_fraction", "cell_id"], ascending=[False, True])
            found.append(order.iloc[[0]].assign(role="diverged"))
    return pd.concat(found, ignore_index=True) if found else table.iloc[:0].assign(role="")


def read_trajectories(run_dir: Path) -> Frame:
    """The kept trajectories of a run, one row per saved time and component; empty if it has none."""
    path = run_dir / "tables" / FILE
    return pd.read_parquet(path) if path.is_file() else pd.DataFrame(columns=["problem", "cell_id", "role"])


def keep_trajectories(run_dir: Path, file: MatrixFile, registry: Registry, *, workers: int = 1) -> list[str]:
    """Solve the chosen cells of a run again and write ``tables/trajectories.parquet``.

    Cells whose trajectories are kept already are not solved. Deadlines and memory limits of the matrix
    hold; what fails is left out.

    Returns
    -------
    list of str
        What could not be solved again, with its reason.
    """
    table = read_results(run_dir)
    chosen = chosen_cells(prepare(table))
    kept = read_trajectories(run_dir)
    wanted = {(r.cell_id, r.role): r for r in chosen.itertuples()}
    kept = kept.loc[np.array([key in wanted for key in zip(kept["cell_id"], kept["role"], strict=True)], dtype=bool)]
    have = set(zip(kept["cell_id"], kept["role"], strict=True))
    plan = make_plan(file.matrix, registry, file.path.parent)
    planned = {coordinates(cell.cell.columns()): cell for cell in plan.cells}
    rows = {row["cell_id"]: row for row in table.to_dict("records")}
    problems: list[str] = []
    tasks: dict[str, Any] = {}
    stored = _stored(run_dir)
    for (cell_id, role), row in wanted.items():
        cell = planned.get(coordinates(rows[cell_id]))
        if (cell_id, role) not in have and cell is None:
            problems.append(f"{row.problem}, {role}: the matrix no longer asks for cell {cell_id}")
        elif (cell_id, role) not in have and cell is not None:
            task = _task(cell, role, stored, file)
            tasks[task.key] = (task, row)
    frames = [kept]
    for task, report in _performed([task for task, _ in tasks.values()], run_dir, file, registry, workers):
        row = tasks[task.key][1]
        again = report.outcome.columns.get("error_l2_scaled")
        if report.outcome.state == "ok" and _other_result(row.error_l2_scaled, again):
            problems.append(
                f"{row.problem}, {row.role}: solved again, cell {row.cell_id} has error {again:.2g}, its row "
                f"{row.error_l2_scaled:.2g}: it was made by other code"
            )
        elif report.outcome.state == "ok":
            frames.append(_frame(row, report))
        else:
            problems.append(f"{row.problem}, {row.role}: {report.outcome.state}: {report.outcome.reason}")
    frames = [frame for frame in frames if len(frame)]
    path = run_dir / "tables" / FILE
    if frames:
        found = pd.concat(frames, ignore_index=True)
        # Stable: the components of a trajectory stay in the order in which figures want them.
        found.sort_values(["problem", "role", "cell_id"], kind="stable", ignore_index=True).to_parquet(
            path, index=False
        )
    elif path.exists():
        path.unlink()
    return problems


def sample(cell: Cell, measured: Measured) -> Report:
    """One trajectory of a solved cell, thinned: the first lost one if any is, else that of median error.

    Runs in a worker; states travel back as an ``npz`` in ``blobs``.
    """
    diverged = measured.diverged
    with np.errstate(all="ignore"):
        size = np.sqrt(np.nanmean((measured.error / measured.scale[:, None]) ** 2, axis=(0, 1)))
    which = int(np.argsort(np.argmax(measured.lost, axis=0) + 1e9 * ~diverged, kind="stable")[0])
    if not diverged.any():
        which = int(np.argsort(size, kind="stable")[(size.size - 1) // 2])
    components = shown_components(measured.problem.equation)
    times: Any = np.unique(np.linspace(0, measured.solution.t.size - 1, MOST_TIMES).round().astype(int))
    u = measured.solution.u[np.ix_(times, components, [which])][..., 0].astype(np.float32)
    # What lies beyond the range of a figure is lost: a picture of 1e30 shows nothing else.
    u[measured.lost[times, which]] = np.nan
    buffer = io.BytesIO()
    names = measured.problem.equation.component_names
    np.savez_compressed(
        buffer,
        t=measured.solution.t[times],
        u=u,
        reference=measured.reference.u[np.ix_(times, components, [which])][..., 0].astype(np.float32),
        component_index=np.array(components),
        component=np.array(json.dumps([names[i] for i in components])),
        trajectory=which,
    )
    counted = measured.valid & ~diverged
    squares = ((measured.error / measured.scale[:, None]) ** 2).mean(axis=1)[counted]
    error = float(np.sqrt(squares.mean())) if squares.size else None
    outcome = Outcome(state="ok", columns={"error_l2_scaled": error})
    return Report(outcome=outcome, blobs={_BLOB: buffer.getvalue()})


def _other_result(stored: float, again: float | None) -> bool:
    """Whether two errors differ by more than rounding and another processor explain."""
    if again is None or not np.isfinite(stored) or max(stored, again) < _ROUNDING:
        return False
    return not 1 / _ALIKE < again / max(stored, np.finfo(float).tiny) < _ALIKE


def shown_components(equation: Equation) -> list[int]:
    """The first component, its velocity where one component is just that, and the next ones; at most three."""
    rng = np.random.default_rng(0)
    states = equation.initial_states(0, 4) + 0.1 * rng.normal(size=(equation.dim, 4))
    with np.errstate(all="ignore"):
        from attns_core.maths import numpy_maths

        slope = np.broadcast_to(
            np.asarray(equation.rhs(equation.t0, states, equation.p, numpy_maths())[0], dtype=float), 4
        )
    velocity = [i for i in range(1, equation.dim) if np.allclose(slope, states[i], rtol=1e-9)]
    halves = [equation.dim // 2] if equation.dim % 2 == 0 and "hamiltonian" in equation.tags else []
    order = [0, *(velocity or halves)[:1], 1, 2]
    return [i for i in dict.fromkeys(order) if i < equation.dim][:3]


def _stored(run_dir: Path) -> dict[str, dict[str, str]]:
    """Files of the artefacts that the run folder still has."""
    if not (run_dir / "journal.sqlite").is_file():
        return {}
    store = read_store(run_dir)
    try:
        rows = store.artefacts().items()
    finally:
        store.close()
    return {
        name: row["files"]
        for name, row in rows
        if row["state"] == "ok" and artefacts.folder_of(run_dir / "artefacts", name).is_dir()
    }


def _task(planned: PlannedCell, role: str, stored: Mapping[str, Mapping[str, str]], file: MatrixFile) -> Task:
    limits = file.matrix.limits
    return Task(
        key=f"trajectory {role} {planned.point}",
        kind="trajectory",
        label=planned.cell.label,
        cell=planned.cell,
        deadline_s=limits.deadline_s + limits.train_deadline_s,
        artefact=planned.weights or "",
        needs={name: stored[name] for name in planned.needs if name in stored},
    )


def _performed(
    tasks: list[Task], run_dir: Path, file: MatrixFile, registry: Registry, workers: int
) -> Iterator[tuple[Task, Report]]:
    if not tasks:
        return
    with tempfile.TemporaryDirectory(prefix="attns-trajectories-") as scratch:
        # A published run has no artefacts, and gets none from being drawn.
        folder = run_dir / "artefacts"
        context = WorkerContext(
            plugin_files=plugin_files(registry),
            artefacts=folder.resolve() if folder.is_dir() else Path(scratch),
            memory_mb=file.matrix.limits.memory_mb,
        )
        executor = LocalExecutor(context, min(workers, len(tasks)))
        try:
            for task in tasks:
                executor.submit(task)
            left = len(tasks)
            while left:
                for done in executor.poll(0.5):
                    left -= 1
                    yield done
        finally:
            executor.close()


def _frame(row: Any, report: Report) -> Frame:
    with np.load(io.BytesIO(report.blobs[_BLOB]), allow_pickle=False) as data:
        t, u, reference = data["t"], data["u"], data["reference"]
        names, indices = json.loads(str(data["component"])), data["component_index"]
        which = int(data["trajectory"])
    parts = [
        pd.DataFrame({"t": t, "component_index": int(i), "component": names[k], "u": u[:, k],
                      "reference": reference[:, k]})
        for k, i in enumerate(indices)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True).assign(
        problem=row.problem, role=row.role, cell_id=row.cell_id, series=row.series, control=row.control,
        seed=row.seed, error_l2_scaled=row.error_l2_scaled, trajectory=which,
    )  # fmt: skip
