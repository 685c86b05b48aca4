"""The coordinator: drives a plan through an executor and writes every outcome to the store."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, final

from attns_harness import artefacts
from attns_harness.executors import AbstractExecutor
from attns_harness.matrix import Matrix
from attns_harness.plan import Artefact, Plan, PlannedCell
from attns_harness.progress import View
from attns_harness.store import Outcome, Store, StoreFullError
from attns_harness.tasks import Report, Task
from attns_harness.timing import merged

BATCH = 64
COMMIT_EVERY_S = 0.5
HEARTBEAT_S = 1.0
GRACE_S = 1.5
MAX_REBUILDS = 2


@final
class Coordinator:
    """One execution of a plan.

    Parameters
    ----------
    folder : Path
        Folder of the artefacts.
    run : int
        Number of this execution in the store.
    environment : str
        Id of the environment that results are recorded under.
    """

    def __init__(
        self, plan: Plan, matrix: Matrix, store: Store, view: View, *, folder: Path, run: int, environment: str
    ) -> None:
        self._plan, self._matrix, self._store, self._view = plan, matrix, store, view
        self._folder, self._run, self._environment = folder, run, environment
        self._buffer: list[tuple[PlannedCell, Outcome]] = []
        self._committed = self._beat = time.monotonic()
        self._files: dict[str, dict[str, str]] = {}
        self._earlier: Mapping[str, dict[str, Any]] = {}
        self._waiting: dict[str, list[PlannedCell]] = defaultdict(list)
        self._rebuilt: dict[str, int] = defaultdict(int)
        self._cells: dict[str, PlannedCell] = {}
        self._open = 0
        self._done = 0
        self._counts: dict[str, int] = {}

    def solve(self, cells: list[PlannedCell], executor: AbstractExecutor) -> None:
        """The first lane: artefacts, then accuracy as soon as what a cell needs is there."""
        self._files = {
            name: row["files"]
            for name, row in self._store.artefacts().items()
            if row["state"] == "ok" and artefacts.folder_of(self._folder, name).is_dir()
        }
        self._begin("solving", len(cells))
        wanted: dict[str, Artefact] = {}
        for planned in cells:
            missing = [name for name in planned.needs if name not in self._files]
            for name in missing:
                wanted.setdefault(name, self._plan.artefacts[name])
                self._waiting[name].append(planned)
        for artefact in wanted.values():
            executor.submit(self._artefact_task(artefact))
        for planned in cells:
            self._submit_if_ready(planned, executor)
        self._drive(executor)

    def time(self, cells: list[PlannedCell], earlier: Mapping[str, dict[str, Any]], executor: AbstractExecutor) -> None:
        """The second lane: one cell after the other, alone; what ``earlier`` passes timed is kept beside it."""
        self._begin("timing", len(cells))
        self._earlier = earlier
        for planned in cells:
            weights = {planned.weights: self._files.get(planned.weights, {})} if planned.weights else {}
            self._cells[f"timing {planned.point}"] = planned
            executor.submit(
                Task(
                    key=f"timing {planned.point}",
                    kind="timing",
                    label=planned.cell.label,
                    cell=planned.cell,
                    deadline_s=self._matrix.timing.deadline_s,
                    artefact=planned.weights or "",
                    needs=weights,
                    timing=self._matrix.timing,
                )
            )
        self._drive(executor)

    def load_files(self) -> None:
        """Take the artefacts' hashes from the store (for a run that only times)."""
        self._files = {n: r["files"] for n, r in self._store.artefacts().items() if r["state"] == "ok"}

    def _begin(self, title: str, total: int) -> None:
        self._open, self._done = total, 0
        self._counts = self._store.counts()
        self._view.phase(title, total)

    def _drive(self, executor: AbstractExecutor) -> None:
        try:
            while self._open:
                for task, report in executor.poll(0.2):
                    self._receive(task, report, executor)
                self._tick(executor)
        except KeyboardInterrupt:
            self._abandon(executor)
            raise
        finally:
            self._flush()

    def _abandon(self, executor: AbstractExecutor) -> None:
        """Give what runs a moment to finish, then record it as interrupted."""
        end = time.monotonic() + GRACE_S
        running = {a.key for a in executor.activity() if a.key}
        while running and time.monotonic() < end:
            for task, report in executor.poll(0.1):
                self._receive(task, report, executor, follow_up=False)
                running.discard(task.key)
        for key in running:
            kind, _, name = key.partition(" ")
            if kind == "accuracy":
                outcome = Outcome(state="interrupted", reason="stopped by the user while it ran")
                self._buffer.append((self._cells[name], outcome))

    def _receive(self, task: Task, report: Report, executor: AbstractExecutor, *, follow_up: bool = True) -> None:
        if task.kind in ("reference", "weights"):
            self._receive_artefact(task, report, executor, follow_up=follow_up)
            return
        planned = self._cells[task.key if task.kind == "timing" else task.cell.point]
        if report.outcome.broken and follow_up and self._rebuild(planned, executor):
            return
        outcome = report.outcome
        if task.kind == "timing" and not outcome.timing:
            outcome = Outcome(state=outcome.state, timing={"timing_reason": f"{outcome.state}: {outcome.reason}"})
        elif task.kind == "timing":
            timing = merged(self._earlier.get(planned.point), outcome.timing, self._matrix.timing.unstable)
            outcome = replace(outcome, timing=timing)
        self._finish(planned, outcome)

    def _finish(self, planned: PlannedCell, outcome: Outcome) -> None:
        self._buffer.append((planned, outcome))
        self._open -= 1
        self._done += 1
        if not outcome.timing:
            self._counts[outcome.state] = self._counts.get(outcome.state, 0) + 1
            self._counts["not_run"] = max(0, self._counts.get("not_run", 0) - 1)

    def _receive_artefact(self, task: Task, report: Report, executor: AbstractExecutor, *, follow_up: bool) -> None:
        if report.outcome.broken:
            raise StoreFullError(f"{report.outcome.reason}; free some space and start the same command again")
        artefact = self._plan.artefacts[task.artefact]
        if report.blobs:
            artefacts.receive(self._folder, artefact.id, report.blobs)
        self._store.record_artefact(artefact, report.outcome, report.files, self._run)
        if report.outcome.state == "ok":
            self._files[artefact.id] = dict(report.files)
        if not follow_up:
            return
        for planned in self._waiting.pop(artefact.id, []):
            if report.outcome.state == "ok":
                self._submit_if_ready(planned, executor)
            elif planned.point not in self._cells:
                self._cells[planned.point] = planned
                outcome = report.outcome
                reason = f"{artefact.label}: {outcome.reason}"
                self._finish(planned, Outcome(state=outcome.state, reason=reason, traceback=outcome.traceback))

    def _submit_if_ready(self, planned: PlannedCell, executor: AbstractExecutor) -> None:
        if planned.point in self._cells or any(name not in self._files for name in planned.needs):
            return
        self._cells[planned.point] = planned
        executor.submit(self._cell_task(planned))

    def _rebuild(self, planned: PlannedCell, executor: AbstractExecutor) -> bool:
        """Build a cell's damaged artefacts again and queue it behind them; False after too many tries."""
        self._rebuilt[planned.point] += 1
        if self._rebuilt[planned.point] > MAX_REBUILDS:
            return False
        del self._cells[planned.point]
        for name in planned.needs:
            if name not in self._files:
                self._waiting[name].append(planned)
                continue
            try:
                artefacts.verify(self._folder, name, self._files[name])
            except artefacts.DamagedArtefactError as error:
                self._view.say(f"{error}: building it again")
                del self._files[name]
                self._waiting[name].append(planned)
                executor.submit(self._artefact_task(self._plan.artefacts[name]))
        self._submit_if_ready(planned, executor)
        return True

    def _artefact_task(self, artefact: Artefact) -> Task:
        limits = self._matrix.limits
        return Task(
            key=f"{artefact.kind} {artefact.id}",
            kind="reference" if artefact.kind == "reference" else "weights",
            label=artefact.label,
            cell=artefact.spec,
            deadline_s=limits.train_deadline_s,
            artefact=artefact.id,
        )

    def _cell_task(self, planned: PlannedCell) -> Task:
        return Task(
            key=f"accuracy {planned.point}",
            kind="accuracy",
            label=planned.cell.label,
            cell=planned.cell,
            deadline_s=self._plan.deadlines[planned.point],
            artefact=planned.weights or "",
            needs={name: self._files[name] for name in planned.needs},
        )

    def _tick(self, executor: AbstractExecutor) -> None:
        now = time.monotonic()
        if len(self._buffer) >= BATCH or (self._buffer and now - self._committed > COMMIT_EVERY_S):
            self._flush()
        if now - self._beat > HEARTBEAT_S:
            self._beat = now
            workers = [asdict(a) for a in executor.activity()]
            self._store.heartbeat(self._run, {"done": self._done, "open": self._open, "workers": workers})
        self._view.update(self._done, self._counts, executor.activity())

    def _flush(self) -> None:
        batch: Iterable[tuple[PlannedCell, Outcome]] = self._buffer
        self._store.record(batch, self._run, self._environment)
        self._buffer = []
        self._committed = time.monotonic()
