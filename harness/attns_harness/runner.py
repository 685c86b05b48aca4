"""Running a matrix: plan, store, two lanes, tables."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from attns_core.errors import AttnsError
from attns_core.registry import Registry
from attns_harness import provenance
from attns_harness.coordinator import Coordinator
from attns_harness.executors import AbstractExecutor
from attns_harness.matrix import Matrix, MatrixFile, Timing
from attns_harness.plan import Plan, PlannedCell, make_plan
from attns_harness.progress import View
from attns_harness.states import FAILED, OPEN, SOLVED
from attns_harness.store import Store, open_store
from attns_harness.tables import export
from attns_harness.tasks import WorkerContext
from attns_harness.timing import write_pyperf

SELECTIONS = {
    "failed": FAILED,
    "stale": frozenset({"stale"}),
    "missing": frozenset({"not_run", "interrupted"}),
}


@final
@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to execute, as opposed to what.

    Parameters
    ----------
    only : sequence of str
        Restrict to ``failed``, ``stale``, ``missing``; empty: what has no valid result.
    retry : bool
        Take up failed cells again, too.
    timing : bool, optional
        Overrules the matrix.
    executor : {"local", "dask", "slurm"}
    scheduler : str
        Address of a Dask scheduler; empty: a cluster on this machine.
    """

    workers: int = 0
    only: Sequence[str] = ()
    retry: bool = False
    timing: bool | None = None
    executor: str = "local"
    scheduler: str = ""
    command: str = ""


@final
@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a run left behind."""

    folder: Path
    counts: dict[str, int]
    executed: int
    timed: int
    untimed: int = 0
    interrupted: bool = False
    failures: list[dict[str, Any]] = field(default_factory=list)


def run_matrix(file: MatrixFile, out: Path, registry: Registry, options: RunOptions, view: View) -> Summary:
    """Execute what a matrix asks for and the folder does not have yet.

    Ctrl-C ends it within seconds; what was finished is stored and the summary says ``interrupted``.

    Raises
    ------
    AttnsError
        Bad matrix, a folder in use, a full disk.
    """
    matrix = file.matrix
    plan = make_plan(matrix, registry)
    facts = provenance.environment(registry, threads=matrix.timing.threads)
    environment = provenance.environment_id(facts)
    executed, interrupted = 0, False
    with open_store(out) as store:
        run = store.begin_run(provenance.run_facts(registry, threads=matrix.timing.threads), file.text, options.command)
        store.record_environment(environment, facts)
        store.lay_out(plan.cells)
        (out / "matrix.toml").write_text(file.text, encoding="utf-8")
        coordinator = Coordinator(plan, matrix, store, view, folder=out / "artefacts", run=run, environment=environment)
        todo = select(plan, store, options)
        view.say(f"{len(plan.cells)} cells, {len(todo)} to run; {out}")
        state = "failed"
        try:
            if todo:
                with _executor(file, out, options, matrix, registry) as executor:
                    coordinator.solve(todo, executor)
                executed = len(todo)
            if matrix.timing.enabled if options.timing is None else options.timing:
                _time(coordinator, plan, store, file, out, registry, matrix)
            state = "finished"
        except KeyboardInterrupt:
            interrupted, state = True, "interrupted"
        finally:
            store.end_run(run, state)
        export(store)
        write_pyperf(out / "timings.json", _timings(store), _pyperf_metadata(facts))
        return Summary(
            folder=out,
            counts=store.counts(),
            executed=executed,
            timed=store.timed() - store.untimed(),
            untimed=store.untimed(),
            interrupted=interrupted,
            failures=store.failures(),
        )


def select(plan: Plan, store: Store, options: RunOptions) -> list[PlannedCell]:
    """The cells to take up, by their state in the store."""
    wanted: frozenset[str] = frozenset(OPEN)
    if options.only:
        unknown = set(options.only) - set(SELECTIONS)
        if unknown:
            raise AttnsError(f"--only takes {', '.join(SELECTIONS)}; got {', '.join(sorted(unknown))}")
        wanted = frozenset[str]().union(*(SELECTIONS[name] for name in options.only))
    elif options.retry:
        wanted = OPEN | FAILED
    states = store.states()
    return [p for p in plan.cells if states[p.point][0] in wanted]


def _time(
    coordinator: Coordinator,
    plan: Plan,
    store: Store,
    file: MatrixFile,
    out: Path,
    registry: Registry,
    matrix: Matrix,
) -> None:
    states, seeds = store.states(), matrix.timing.seeds
    solved = [p for p in plan.cells if states[p.point][0] in SOLVED and (not seeds or p.cell.problem.seed in seeds)]
    if not any(rounds_left(p, store.timings(), matrix.timing) for p in solved):
        return
    from attns_harness.executors.local import LocalExecutor

    coordinator.load_files()
    cores = sorted(os.sched_getaffinity(0))
    context = WorkerContext(
        plugin_files=plugin_files(registry),
        artefacts=(out / "artefacts").resolve(),
        memory_mb=matrix.limits.memory_mb,
        threads=matrix.timing.threads,
        # Several threads need several cores; one is pinned to the last, away from the system's work.
        core=cores[-1] if matrix.timing.threads == 1 else None,
    )
    try:
        if context.core is not None and len(cores) > 1:
            os.sched_setaffinity(0, set(cores[:-1]))
        with _closing(LocalExecutor(context, 1)) as executor:
            for left in range(matrix.timing.rounds, 0, -1):
                done = store.timings()
                todo = [p for p in solved if rounds_left(p, done, matrix.timing) >= left]
                coordinator.time(todo, done, executor)
    finally:
        os.sched_setaffinity(0, set(cores))


def rounds_left(planned: PlannedCell, done: Mapping[str, Any], timing: Timing) -> int:
    """Passes that a cell is still to be sampled in; none after one that failed."""
    found = done.get(planned.point)
    if found is None:
        return timing.rounds
    return 0 if "timing_reason" in found else max(0, timing.rounds - int(found.get("rounds", 1)))


@contextmanager
def _executor(
    file: MatrixFile, out: Path, options: RunOptions, matrix: Matrix, registry: Registry
) -> Iterator[AbstractExecutor]:
    context = WorkerContext(
        plugin_files=plugin_files(registry),
        artefacts=(out / "artefacts").resolve(),
        memory_mb=matrix.limits.memory_mb,
    )
    workers = options.workers or len(os.sched_getaffinity(0))
    made: AbstractExecutor
    if options.executor == "local":
        from attns_harness.executors.local import LocalExecutor

        made = LocalExecutor(context, workers)
    else:
        from attns_harness.executors.dask import DaskExecutor

        made = DaskExecutor(context, workers, scheduler=options.scheduler, slurm=options.executor == "slurm")
    with _closing(made) as executor:
        yield executor


@contextmanager
def _closing(executor: AbstractExecutor) -> Iterator[AbstractExecutor]:
    try:
        yield executor
    finally:
        executor.close()


def plugin_files(registry: Registry) -> tuple[Path, ...]:
    """Single-file plugins of a registry; workers load the same."""
    return tuple(Path(r.source) for r in registry.plugins if not r.distribution and Path(r.source).exists())


def _timings(store: Store) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in store.rows():
        if row["timing"] and "values" in row["timing"]:
            yield f"{row['label']} #{row['point'][:6]}", row["timing"]


def _pyperf_metadata(facts: dict[str, Any]) -> dict[str, str]:
    return {
        "cpu_model_name": facts["machine"]["cpu"] or "unknown",
        "python_version": facts["python"],
        "platform": facts["machine"]["system"],
        "attns_version": facts["attns"] or "unknown",
    }
