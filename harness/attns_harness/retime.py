"""Time one cell of a run again: ``python -m attns_harness.retime RUN CELL_ID OUT.json``.

A process of its own, so that two versions of the code, each in its environment, can take turns.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attns_core.errors import AttnsError
from attns_core.registry import build_registry
from attns_harness.matrix import parse_matrix
from attns_harness.plan import make_plan
from attns_harness.sandbox import Sandbox
from attns_harness.store import read_store
from attns_harness.tasks import Task, WorkerContext
from attns_harness.worker import Worker


def alternate(sides: Sequence[tuple[str, Path, str]], *, rounds: int = 3) -> list[list[float]]:
    """Timings of several ``(python, run folder, cell id)``, taken in turn.

    Every round starts with another side, so that none is always first.

    Raises
    ------
    AttnsError
        If a process fails; its last words are in the message.
    """
    found: list[list[float]] = [[] for _ in sides]
    with tempfile.TemporaryDirectory(prefix="attns-retime-") as folder:
        for turn in range(rounds):
            for i in range(len(sides)):
                which = (i + turn) % len(sides)
                python, run_dir, cell_id = sides[which]
                out = Path(folder) / f"{turn}-{which}.json"
                command = [python, "-m", "attns_harness.retime", str(run_dir.resolve()), cell_id, str(out)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode or not out.is_file():
                    raise AttnsError(f"{python} could not time {cell_id} again: {_last_words(done.stderr)}")
                found[which] += json.loads(out.read_text(encoding="utf-8"))
    return found


def _last_words(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def retime(run_dir: Path, cell_id: str) -> list[float]:
    """Seconds per call of a cell, timed now, in this process.

    Raises
    ------
    AttnsError
        If this version of the code does not plan that cell, or it does not finish.
    """
    store = read_store(run_dir)
    try:
        last = store.runs()[-1]
        files = {name: row["files"] for name, row in store.artefacts().items()}
    finally:
        store.close()
    file = parse_matrix(last["matrix"], run_dir / "matrix.toml")
    # The matrix names its plugins relative to where it was; the run remembers where they are.
    plugin_files = tuple(Path(p) for p in last["provenance"]["plugin_files"])
    plan = make_plan(file.matrix, build_registry(plugin_files=plugin_files))
    cell = next((c for c in plan.cells if c.id == cell_id), None)
    if cell is None:
        raise AttnsError(f"cell {cell_id} of {run_dir} was made by other code than is installed here")
    context = WorkerContext(plugin_files=plugin_files, artefacts=run_dir / "artefacts")
    with tempfile.TemporaryDirectory(prefix="attns-retime-") as scratch:
        # From here on the sandbox owns the standard streams.
        worker = Worker(context, Sandbox(0, Path(scratch)))
        task = Task(
            key=f"timing {cell.point}", kind="timing", label=cell.cell.label, cell=cell.cell,
            deadline_s=file.matrix.timing.deadline_s, artefact=cell.weights or "",
            needs={cell.weights: files.get(cell.weights, {})} if cell.weights else {}, timing=file.matrix.timing,
        )  # fmt: skip
        outcome = worker.perform(task).outcome
    values = outcome.timing.get("values", [])
    if not values or statistics.median(values) <= 0:
        raise AttnsError(f"cell {cell_id} gave no timings: {outcome.reason}")
    return list(values)


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(retime(Path(sys.argv[1]), sys.argv[2])), encoding="utf-8")
