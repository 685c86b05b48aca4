"""The coordinator: drives a plan through an executor and writes every outcome to the store."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, final

from attns_core.errors import AttnsError
from attns_harness import artefacts
from attns_harness.executors import AbstractExecutor
from attns_harness.journal import StoreFullError, full_disk
from attns_harness.matrix import Matrix
from attns_harness.outcome import Outcome
from attns_harness.plan import Artefact, Plan, PlannedCell
from attns_harness.progress import View
from attns_harness.provenance import environment_id
from attns_harness.store import Store
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

    Attributes
    ----------
    solved : int
        Cells that have come to an outcome in the first lane.
    """

    def __init__(
        self, plan: Plan, matrix: Matrix, store: Store, view: View, *, folder: Path, run: int, environment: str
    ) -> None:
        self._plan, self._matrix, self._store, self._view = plan, matrix, store, view
        self._folder, self._run, self._environment = folder, run, environment
        self.solved = 0
        self._buffer: list[tuple[PlannedCell, Outcome]] = []
        self._committed = self._beat = time.monotonic()
        self._files: dict[str, dict[str, str]] = {}
        self._earlier: Mapping[str, dict[str, Any]] = {}
        self._waiting: dict[str, list[PlannedCell]] = defaultdict(list)
        self._building: set[str] = set()
        self._rebuilt: dict[str, int] = defaultdict(int)
        self._begun: dict[str, PlannedCell] = {}
        self._environments = {environment}
        self._data = plan.data.place(store.folder)
        self._timing = False
        self._lane, self._open, self._done = "", 0, 0
        self._started = 0.0
        self._counts: dict[str, int] = {}

    def solve(self, cells: list[PlannedCell], executor: AbstractExecutor) -> None:
        """The first lane: artefacts, then accuracy as soon as what a cell needs is there."""
        self._run_lane("solving", cells, executor)

    def time(self, cells: list[PlannedCell], earlier: Mapping[str, dict[str, Any]], executor: AbstractExecutor) -> None:
        """The second lane: one cell after the other, alone; what ``earlier`` passes timed is kept beside it."""
        self._timing, self._earlier = True, earlier
        self._run_lane("timing", cells, executor)

    def _run_lane(self, lane: str, cells: list[PlannedCell], executor: AbstractExecutor) -> None:
        self._files = {
            name: row["files"]
            for name, row in self._store.artefacts().items()
            if row["state"] == "ok" and artefacts.folder_of(self._folder, name).is_dir()
        }
        self._lane, self._open, self._done, self._begun = lane, len(cells), 0, {}
        self._counts = self._store.counts()
        self._started = time.monotonic()
        for planned in cells:
            for name in self._missing(planned):
                self._waiting[name].append(planned)
                self._build(name, executor)
        self._view.phase(lane, len(cells) + len(self._building))
        for planned in cells:
            self._submit_if_ready(planned, executor)
        self._drive(executor)

    def _needs(self, planned: PlannedCell) -> tuple[str, ...]:
        if self._timing:
            return (planned.weights,) if planned.weights else ()
        return planned.needs

    def _missing(self, planned: PlannedCell) -> list[str]:
        return [name for name in self._needs(planned) if name not in self._files]

    def _build(self, name: str, executor: AbstractExecutor) -> None:
        if name not in self._building:
            self._building.add(name)
            executor.submit(self._artefact_task(self._plan.artefacts[name]))

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
                self._buffer.append((self._begun[name], outcome))

    def _receive(self, task: Task, report: Report, executor: AbstractExecutor, *, follow_up: bool = True) -> None:
        if task.kind in ("reference", "weights"):
            self._receive_artefact(task, report, executor, follow_up=follow_up)
            return
        planned = self._begun[task.cell.point]
        outcome = report.outcome
        outdated = any(self._files.get(name) != files for name, files in task.needs.items())
        if (outcome.broken or outdated) and follow_up and self._rebuild(planned, executor):
            return
        if self._timing and not outcome.timing:
            outcome = Outcome(state=outcome.state, timing={"timing_reason": f"{outcome.state}: {outcome.reason}"})
        outcome = replace(outcome, environment=self._environment_of(report))
        if self._timing and "values" in outcome.timing:
            timing = merged(self._earlier.get(planned.point), outcome.timing, self._matrix.timing.unstable)
            outcome = replace(outcome, timing=timing)
        self._finish(planned, outcome)

    def _environment_of(self, report: Report) -> str:
        """Id of the environment that a worker tells, stored the first time.

        Raises
        ------
        AttnsError
            The worker's code is not the coordinator's, by which cells are named.
        """
        if not report.environment:
            return self._environment
        found = environment_id(report.environment)
        if found not in self._environments:
            own = self._store.environments()[self._environment]
            for name in ("attns", "git_commit", "plugins"):
                if own[name] != report.environment[name]:
                    raise AttnsError(
                        f"a worker has {name} {report.environment[name]!r}, the coordinator {own[name]!r}: "
                        "install the same code on all machines"
                    )
            self._store.record_environment(found, report.environment)
            self._environments.add(found)
        return found

    def _finish(self, planned: PlannedCell, outcome: Outcome) -> None:
        self._buffer.append((planned, outcome))
        self._open -= 1
        self._done += 1
        self.solved += not self._timing
        if not outcome.timing:
            self._counts[outcome.state] = self._counts.get(outcome.state, 0) + 1
            self._counts["not_run"] = max(0, self._counts.get("not_run", 0) - 1)

    def _receive_artefact(self, task: Task, report: Report, executor: AbstractExecutor, *, follow_up: bool) -> None:
        if report.outcome.broken:
            raise StoreFullError(f"{report.outcome.reason}; free some space and start the same command again")
        artefact = self._plan.artefacts[task.artefact]
        if report.blobs:
            try:
                artefacts.receive(self._folder, artefact.id, report.blobs)
            except OSError as error:
                raise full_disk(error, self._folder) from error
        # Results that came before a new content must be stored before it, to be found stale.
        self._flush()
        stale = set(self._store.record_artefact(artefact, report.outcome, report.files, self._run))
        if report.outcome.state == "ok":
            self._files[artefact.id] = dict(report.files)
        self._building.discard(artefact.id)
        self._done += 1
        if not follow_up:
            return
        if stale:
            self._view.say(f"{artefact.label} was built anew: {len(stale)} results that rest on it are stale")
        if stale and not self._timing:
            self._again(stale, executor)
        for planned in self._waiting.pop(artefact.id, []):
            if report.outcome.state == "ok":
                self._submit_if_ready(planned, executor)
            elif planned.point not in self._begun:
                self._begun[planned.point] = planned
                outcome = report.outcome
                reason = f"{artefact.label}: {outcome.reason}"
                outcome = Outcome(state=outcome.state, reason=reason, traceback=outcome.traceback)
                if self._timing:
                    outcome = Outcome(state=outcome.state, timing={"timing_reason": reason})
                self._finish(planned, outcome)

    def _again(self, points: set[str], executor: AbstractExecutor) -> None:
        """Take up results that rest on what an artefact contained before; after the timing lane, the next run does."""
        for planned in self._plan.cells:
            if planned.point in points:
                self._begun.pop(planned.point, None)
                self._open += 1
                for name in self._missing(planned):
                    self._waiting[name].append(planned)
                    self._build(name, executor)
                self._submit_if_ready(planned, executor)

    def _submit_if_ready(self, planned: PlannedCell, executor: AbstractExecutor) -> None:
        if planned.point not in self._begun and not self._missing(planned):
            self._begun[planned.point] = planned
            executor.submit(self._cell_task(planned))

    def _rebuild(self, planned: PlannedCell, executor: AbstractExecutor) -> bool:
        """Build a cell's damaged artefacts again and queue it behind them; False after too many tries."""
        self._rebuilt[planned.point] += 1
        if self._rebuilt[planned.point] > MAX_REBUILDS:
            return False
        del self._begun[planned.point]
        for name in self._needs(planned):
            if name in self._files:
                try:
                    artefacts.verify(self._folder, name, self._files[name])
                    continue
                except artefacts.DamagedArtefactError as error:
                    self._view.say(f"{error}: building it again")
                    del self._files[name]
            self._waiting[name].append(planned)
            self._build(name, executor)
        self._submit_if_ready(planned, executor)
        return True

    def _artefact_task(self, artefact: Artefact) -> Task:
        limits = self._matrix.limits
        training = artefact.spec.training if artefact.kind == "weights" else None
        data = training.data if training is not None else None
        return Task(
            key=f"{artefact.kind} {artefact.id}",
            kind="reference" if artefact.kind == "reference" else "weights",
            label=artefact.label,
            cell=artefact.spec,
            deadline_s=limits.train_deadline_s,
            artefact=artefact.id,
            needs={} if data is None else {data.artefact: self._data[data.artefact]},
        )

    def _cell_task(self, planned: PlannedCell) -> Task:
        timing = self._matrix.timing
        if self._timing:
            timing = timing.model_copy(update={"n_trajectories": self._plan.timed[planned.point]})
        return Task(
            key=f"{'timing' if self._timing else 'accuracy'} {planned.point}",
            kind="timing" if self._timing else "accuracy",
            label=planned.cell.label,
            cell=planned.cell,
            deadline_s=timing.deadline_s if self._timing else self._plan.deadlines[planned.point],
            artefact=planned.weights or "",
            needs={name: self._files[name] for name in self._needs(planned)},
            timing=timing if self._timing else None,
        )

    def _tick(self, executor: AbstractExecutor) -> None:
        now = time.monotonic()
        if len(self._buffer) >= BATCH or (self._buffer and now - self._committed > COMMIT_EVERY_S):
            self._flush()
        total = self._done + self._open + len(self._building)
        if now - self._beat > HEARTBEAT_S:
            self._beat = now
            spent = now - self._started
            live = {
                "lane": self._lane,
                "done": self._done,
                "open": total - self._done,
                "left_s": spent * (total - self._done) / self._done if self._done else None,
                "workers": [asdict(a) for a in executor.activity()],
            }
            self._store.heartbeat(self._run, live)
        self._view.update(self._done, total, self._counts, executor.activity())

    def _flush(self) -> None:
        batch: Iterable[tuple[PlannedCell, Outcome]] = self._buffer
        self._store.record(batch, self._run, self._environment)
        self._buffer = []
        self._committed = time.monotonic()
