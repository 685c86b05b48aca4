"""Timing cells of two runs again, in turn: ``python -m attns_harness.retime RUN`` serves one of them.

Each run has processes of its own, started by the interpreter that has its code, which stay alive and
time a cell whenever they are asked. Turns are short, so that a busy moment of the machine meets both
runs; each run has more than one process, so that what one process happens to be given (its layout in
memory, its hash seed) is not taken for a difference of the code.

The protocol is one line of JSON each way: ``{"cell": ID}`` in, ``{"values": [seconds, ...], "cpu":
[...]}`` or ``{"error": TEXT}`` out.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from types import TracebackType
from typing import Any, final

from attns_core.errors import AttnsError
from attns_core.registry import build_registry
from attns_harness.analysis.trial import Trial
from attns_harness.matrix import Timing
from attns_harness.matrix_file import parse_matrix
from attns_harness.plan import make_plan
from attns_harness.sandbox import Sandbox
from attns_harness.store import read_store
from attns_harness.tasks import Task, WorkerContext
from attns_harness.worker import Worker

PROCESSES = 2
"""Processes of each run."""
ROUNDS = 4
"""Turns of each process at a cell."""
PATIENCE_S = 20.0
"""How long a process that is no longer asked may take to end."""


@final
@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One of the runs that take turns.

    Parameters
    ----------
    run_dir : path
    cells : mapping
        What is compared -> id of the run's cell.
    python : str
        Interpreter that has the code of the run.
    """

    run_dir: Path
    cells: Mapping[Any, str]
    python: str = sys.executable


@final
class Alternation:
    """Times cells of several runs in turn; use it in a ``with`` statement.

    Parameters
    ----------
    contestants : Contestant
        Their order is that of the results.
    """

    def __init__(self, *contestants: Contestant, processes: int = PROCESSES, rounds: int = ROUNDS) -> None:
        self._contestants, self._processes, self._rounds = contestants, processes, rounds
        self._servers: list[list[Server]] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Alternation":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()
        self._servers = []

    def __call__(self, key: Any) -> list[Trial]:
        """Timings of every contestant.

        Every turn starts with another contestant, so that none is always first.

        Raises
        ------
        AttnsError
            If a process cannot time its cell; the message says which and why.
        """
        if not self._servers:
            self._servers = [
                [self._stack.enter_context(Server(c.python, c.run_dir)) for c in self._contestants]
                for _ in range(self._processes)
            ]
        found: list[list[Trial]] = [[] for _ in self._contestants]
        for turn in range(self._rounds):
            for servers in self._servers:
                for i in range(len(servers)):
                    which = (i + turn) % len(servers)
                    found[which].append(servers[which].time(self._contestants[which].cells[key]))
        return [reduce(Trial.join, turns) for turns in found]


@final
class Server:
    """A process that times cells of one run."""

    def __init__(self, python: str, run_dir: Path) -> None:
        self._python = python
        command = [python, "-m", "attns_harness.retime", str(run_dir.resolve())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            # Closes what it reads requests from, which is what it ends at.
            self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def time(self, cell_id: str) -> Trial:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"cell": cell_id}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            raise AttnsError(f"{self._python} could not time {cell_id} again: {answer['error']}")
        return Trial.of(answer)

    def _last_words(self) -> str:
        assert self._process.stderr is not None
        lines = self._process.stderr.read().strip().splitlines()
        self._process.wait()
        return lines[-1] if lines else f"it ended with exit code {self._process.returncode} and said nothing"


@final
class Retimer:
    """The cells of a run as this installation plans them, ready to be timed in this process.

    Parameters
    ----------
    run_dir : path
    scratch : path
        A folder for what the cells write.
    """

    def __init__(self, run_dir: Path, scratch: Path) -> None:
        self._run_dir = run_dir
        store = read_store(run_dir)
        try:
            last = store.runs()[-1]
            files = {name: row["files"] for name, row in store.artefacts().items()}
        finally:
            store.close()
        matrix = parse_matrix(last["matrix"], run_dir / "matrix.toml").matrix
        # The matrix names its plugins relative to where it was; the run remembers where they are.
        plugin_files = tuple(Path(p) for p in last["provenance"]["plugin_files"])
        plan = make_plan(matrix, build_registry(plugin_files=plugin_files), run_dir)
        self._cells = {
            c.id: Task(
                key=f"timing {c.point}", kind="timing", label=c.cell.label, cell=c.cell,
                deadline_s=matrix.timing.deadline_s, artefact=c.weights or "",
                needs={c.weights: files.get(c.weights, {})} if c.weights else {},
                timing=_share(matrix.timing, plan.timed.get(c.point, matrix.timing.n_trajectories)),
            )
            for c in plan.cells
        }  # fmt: skip
        context = WorkerContext(plugin_files=plugin_files, artefacts=run_dir / "artefacts")
        # From here on the sandbox owns the standard streams.
        self._worker = Worker(context, Sandbox(0, scratch))

    def time(self, cell_id: str) -> dict[str, list[float]]:
        """``values`` and ``cpu`` of a cell, timed now (:func:`attns_harness.timing.sample`).

        Raises
        ------
        AttnsError
            If this version of the code does not plan that cell, or it does not finish.
        """
        if cell_id not in self._cells:
            raise AttnsError(f"cell {cell_id} of {self._run_dir} was made by other code than is installed here")
        outcome = self._worker.perform(self._cells[cell_id]).outcome
        values = outcome.timing.get("values", [])
        if not values or statistics.median(values) <= 0:
            raise AttnsError(f"cell {cell_id} gave no timings: {outcome.reason}")
        return {"values": values, "cpu": outcome.timing["cpu"]}


def _share(timing: Timing, trajectories: int | None) -> Timing:
    """One turn's share of what a cell is timed for, in its ensemble: all turns together take twice its budget."""
    share = {"budget_s": 2 * timing.budget_s / (PROCESSES * ROUNDS), "n_trajectories": trajectories}
    return timing.model_copy(update=share)


def serve(run_dir: Path, requests: Iterator[str], answer: Any) -> None:
    """Answer requests until there are none."""
    with tempfile.TemporaryDirectory(prefix="attns-retime-") as scratch:
        retimer = Retimer(run_dir, Path(scratch))
        for line in requests:
            try:
                reply: dict[str, Any] = retimer.time(json.loads(line)["cell"])
            except AttnsError as error:
                reply = {"error": str(error)}
            answer.write(json.dumps(reply) + "\n")
            answer.flush()


if __name__ == "__main__":
    # The sandbox points standard output elsewhere; answers go where it led before.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as _answers, os.fdopen(os.dup(0), encoding="utf-8") as _requests:
        serve(Path(sys.argv[1]), iter(_requests), _answers)
