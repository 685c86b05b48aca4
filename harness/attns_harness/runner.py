"""Running a matrix: plan, store, two lanes, tables."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from attns_core.errors import AttnsError
from attns_core.registry import Registry
from attns_harness import provenance
from attns_harness.blocks import blocks_named
from attns_harness.coordinator import Coordinator
from attns_harness.executors import AbstractExecutor
from attns_harness.journal import FULL, full_disk
from attns_harness.matrix import Matrix, Timing
from attns_harness.matrix_file import MatrixFile
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
    blocks : sequence of str
        Names or patterns of blocks: cells of others stay as they are. Empty: all.
    retry : bool
        Take up failed cells again, too.
    timing : bool, optional
        Overrules the matrix.
    unlike_machines : bool
        Time here although stored timings are another machine's.
    executor : {"local", "dask", "slurm"}
    scheduler : str
        Address of a Dask scheduler; empty: a cluster on this machine.
    """

    workers: int = 0
    only: Sequence[str] = ()
    blocks: Sequence[str] = ()
    retry: bool = False
    timing: bool | None = None
    unlike_machines: bool = False
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
        Bad matrix, a block that it does not have, a folder in use, timings of another machine, a full disk.
    """
    matrix = file.matrix
    plan = make_plan(matrix, registry, file.path.parent)
    part = part_of(plan, matrix, options.blocks)
    facts = provenance.environment(registry, threads=matrix.timing.threads)
    environment = provenance.environment_id(facts)
    timing = matrix.timing.enabled if options.timing is None else options.timing
    interrupted = False
    with _disk(out), open_store(out) as store:
        run = store.begin_run(provenance.run_facts(registry, threads=matrix.timing.threads), file.text, options.command)
        store.record_environment(environment, facts)
        store.lay_out(plan.cells)
        (out / "matrix.toml").write_text(file.text, encoding="utf-8")
        coordinator = Coordinator(plan, matrix, store, view, folder=out / "artefacts", run=run, environment=environment)
        todo = select(part, store, options)
        view.say(f"{len(part.cells)} cells, {len(todo)} to run; {out}")
        state = "failed"
        try:
            if timing and not options.unlike_machines and (todo or untimed(part, store, matrix.timing)):
                _refuse_unlike(store, facts["machine"])
            if todo:
                with _executor(file, out, options, matrix, registry) as executor:
                    coordinator.solve(todo, executor)
            if timing:
                cells = untimed(part, store, matrix.timing, retry=options.retry)
                _time(coordinator, cells, store, out, registry, matrix, retry=options.retry)
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
            executed=coordinator.solved,
            timed=store.timed() - store.untimed(),
            untimed=store.untimed(),
            interrupted=interrupted,
            failures=store.failures(),
        )


def part_of(plan: Plan, matrix: Matrix, blocks: Sequence[str]) -> Plan:
    """The plan with the cells of some blocks alone; all of it where none are named.

    Raises
    ------
    AttnsError
        A name or a pattern that fits no block.
    """
    if not blocks:
        return plan
    names = {block.name for block in blocks_named(matrix, blocks)}
    return replace(plan, cells=tuple(p for p in plan.cells if names & plan.blocks[p.point]))


def select(plan: Plan, store: Store, options: RunOptions) -> list[PlannedCell]:
    """The cells to take up, by their state in the store."""
    wanted, states = wanted_states(options), store.states()
    return [p for p in plan.cells if states[p.point].state in wanted]


def wanted_states(options: RunOptions) -> frozenset[str]:
    """States of the cells to take up.

    Raises
    ------
    AttnsError
        ``only`` names no selection.
    """
    unknown = set(options.only) - set(SELECTIONS)
    if unknown:
        raise AttnsError(f"--only takes {', '.join(SELECTIONS)}; got {', '.join(sorted(unknown))}")
    if options.only:
        return frozenset[str]().union(*(SELECTIONS[name] for name in options.only))
    return OPEN | FAILED if options.retry else frozenset[str](OPEN)


def untimed(plan: Plan, store: Store, timing: Timing, *, retry: bool = False) -> list[PlannedCell]:
    """The cells to time: solved, and not sampled in every pass yet; with ``retry`` also where timing failed."""
    states, done = store.states(), _timings_to_keep(store, retry)
    return [
        p
        for p in plan.cells
        if states[p.point].state in SOLVED
        and p.point in plan.timed
        and (not timing.seeds or p.cell.problem.seed in timing.seeds)
        and rounds_left(p, done, timing)
    ]


def _timings_to_keep(store: Store, retry: bool) -> dict[str, dict[str, Any]]:
    return {point: t for point, t in store.timings().items() if not (retry and "timing_reason" in t)}


def _refuse_unlike(store: Store, machine: Mapping[str, Any]) -> None:
    for other in store.timed_on():
        differences = provenance.unlike(other, machine)
        if differences:
            raise AttnsError(
                f"{store.folder} has timings of another machine ({'; '.join(differences)}): times of unlike "
                "machines are no comparison. Use --no-timing, another --out, or force it with --unlike-machines"
            )


@contextmanager
def _disk(out: Path) -> Iterator[None]:
    """Report a full disk as such, whatever file it hit."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise full_disk(error, out) from error
        raise


def _time(
    coordinator: Coordinator,
    solved: list[PlannedCell],
    store: Store,
    out: Path,
    registry: Registry,
    matrix: Matrix,
    *,
    retry: bool,
) -> None:
    if not solved:
        return
    from attns_harness.executors.local import LocalExecutor

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
                # What fails is taken up in the first pass alone.
                done = _timings_to_keep(store, retry and left == matrix.timing.rounds)
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

        context = replace(context, remote=True)
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
