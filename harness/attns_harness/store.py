"""The store: one SQLite file per run folder, written by the coordinator alone.

WAL with full synchronisation: what a commit returned for survives ``kill -9`` and power loss. Every
planned cell has a row from the start; results replace it.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, final

from attns_harness.journal import JOURNAL, connect, connect_to_read, full_disk, strict_json
from attns_harness.outcome import Outcome
from attns_harness.ownership import ownership
from attns_harness.plan import Artefact, PlannedCell


class Standing(NamedTuple):
    """A row's state, and the id of the cell behind it."""

    state: str
    cell_id: str


@final
class Store:
    """The journal of a run folder. Use :func:`open_store` to write, :func:`read_store` to look."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._db = connection

    # -- reading ------------------------------------------------------------------------------------

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every cell's row, in the order of the tables."""
        for row in self._db.execute("SELECT * FROM cells WHERE listed = 1 ORDER BY position"):
            yield _decoded(row, ("spec", "basis", "needs", "columns", "timing"))

    def states(self) -> dict[str, Standing]:
        """Where every row stands, by point."""
        return {p: Standing(s, name) for p, s, name in self._db.execute("SELECT point, state, cell_id FROM cells")}

    def timings(self) -> dict[str, dict[str, Any]]:
        """Point -> what was timed so far, raw values included."""
        query = "SELECT point, timing FROM cells WHERE timing IS NOT NULL"
        return {r["point"]: json.loads(r["timing"]) for r in self._db.execute(query)}

    def basis(self, point: str) -> dict[str, Any]:
        row = self._db.execute("SELECT basis FROM cells WHERE point = ?", (point,)).fetchone()
        return json.loads(row["basis"])

    def counts(self) -> dict[str, int]:
        """Rows per state."""
        query = "SELECT state, count(*) AS n FROM cells WHERE listed = 1 GROUP BY state"
        return {r["state"]: r["n"] for r in self._db.execute(query)}

    def timed(self) -> int:
        """Rows that have timings."""
        return self._db.execute("SELECT count(*) FROM cells WHERE listed = 1 AND timing IS NOT NULL").fetchone()[0]

    def untimed(self) -> int:
        """Rows whose timing failed."""
        query = "SELECT count(*) FROM cells WHERE listed = 1 AND json_extract(timing, '$.timing_reason') IS NOT NULL"
        return self._db.execute(query).fetchone()[0]

    def failures(self, limit: int = 20) -> list[dict[str, Any]]:
        """Failed rows with reasons, in the order of the tables."""
        query = (
            "SELECT cell_id, label, state, reason, traceback, output FROM cells WHERE listed = 1 "
            "AND state IN ('error', 'timeout', 'crashed', 'oom') ORDER BY position LIMIT ?"
        )
        return [dict(r) for r in self._db.execute(query, (limit,))]

    def artefacts(self) -> dict[str, dict[str, Any]]:
        """Artefact id -> row."""
        return {r["id"]: _decoded(r, ("files",)) for r in self._db.execute("SELECT * FROM artefacts ORDER BY id")}

    def timed_on(self) -> list[dict[str, Any]]:
        """The machines that the stored timings were taken on, each once."""
        query = (
            "SELECT DISTINCT json_extract(runs.provenance, '$.machine') AS machine FROM cells "
            "JOIN runs ON runs.id = cells.timed_run WHERE json_extract(cells.timing, '$.values') IS NOT NULL"
        )
        return [json.loads(r["machine"]) for r in self._db.execute(query) if r["machine"]]

    def runs(self) -> list[dict[str, Any]]:
        """All executions into this folder, oldest first."""
        return [_decoded(r, ("provenance", "live")) for r in self._db.execute("SELECT * FROM runs ORDER BY id")]

    def check(self) -> list[str]:
        """What SQLite itself finds wrong; empty for a sound journal."""
        found = [r[0] for r in self._db.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    # -- writing ------------------------------------------------------------------------------------

    def begin_run(self, provenance: Mapping[str, Any], matrix: str, command: str) -> int:
        """Record who runs what, where; returns the run's number."""
        with self._commit():
            cursor = self._db.execute(
                "INSERT INTO runs (started, pid, state, provenance, matrix, command) VALUES (?, ?, 'running', ?, ?, ?)",
                (time.time(), os.getpid(), strict_json(provenance), matrix, command),
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def end_run(self, run: int, state: str) -> None:
        with self._commit():
            self._db.execute(
                "UPDATE runs SET finished = ?, state = ?, live = NULL WHERE id = ?", (time.time(), state, run)
            )

    def heartbeat(self, run: int, live: Mapping[str, Any]) -> None:
        """What ``attns status`` shows while the run goes on."""
        with self._commit():
            self._db.execute("UPDATE runs SET live = ? WHERE id = ?", (strict_json(live), run))

    def lay_out(self, cells: Iterable[PlannedCell]) -> None:
        """Give every planned cell a row, in the order of the plan; mark changed ones stale.

        Rows of cells that are no longer planned stay in the journal and leave the tables.
        """
        known = self.states()
        with self._commit():
            self._db.execute("UPDATE cells SET listed = 0")
            for position, planned in enumerate(cells):
                state, cell_id = known.get(planned.point, Standing("", ""))
                if not state:
                    self._insert(planned, position)
                    continue
                self._db.execute("UPDATE cells SET listed = 1, position = ? WHERE point = ?", (position, planned.point))
                if cell_id != planned.id and state == "not_run":
                    self._db.execute(
                        "UPDATE cells SET cell_id = ?, basis = ?, needs = ? WHERE point = ?",
                        (planned.id, strict_json(planned.basis), strict_json(planned.needs), planned.point),
                    )
                elif cell_id != planned.id:
                    changed = _difference(self.basis(planned.point), planned.basis)
                    self._db.execute(
                        "UPDATE cells SET state = 'stale', reason = ? WHERE point = ?",
                        (f"changed since: {', '.join(changed)}", planned.point),
                    )

    def record(self, results: Iterable[tuple[PlannedCell, Outcome]], run: int, environment: str) -> None:
        """Store outcomes of cells in one transaction.

        Raises
        ------
        StoreFullError
            The disk is full; nothing of this batch is stored, everything before it is.
        """
        with self._commit():
            for planned, outcome in results:
                if outcome.timing:
                    self._db.execute(
                        "UPDATE cells SET timing = ?, timed_run = ? WHERE point = ?",
                        (strict_json(outcome.timing), run, planned.point),
                    )
                    continue
                self._db.execute(
                    "UPDATE cells SET cell_id = ?, basis = ?, needs = ?, state = ?, reason = ?, traceback = ?, "
                    "output = ?, columns = ?, timing = NULL, seconds = ?, run = ?, environment = ? WHERE point = ?",
                    (
                        planned.id,
                        strict_json(planned.basis),
                        strict_json(planned.needs),
                        outcome.state,
                        outcome.reason,
                        outcome.traceback,
                        outcome.output,
                        strict_json(outcome.columns),
                        outcome.seconds,
                        run,
                        outcome.environment or environment,
                        planned.point,
                    ),
                )

    def record_artefact(self, artefact: Artefact, outcome: Outcome, files: Mapping[str, str], run: int) -> list[str]:
        """Store what became of an artefact, with the SHA-256 of each of its files.

        Results that rest on another content of it become stale; returns their points.
        """
        before = self._db.execute("SELECT files FROM artefacts WHERE id = ?", (artefact.id,)).fetchone()
        with self._commit():
            stale: list[str] = []
            if before is not None and json.loads(before["files"]) not in ({}, dict(files)):
                rows = self._db.execute(
                    "UPDATE cells SET state = 'stale', reason = ? WHERE state NOT IN ('not_run', 'stale') "
                    "AND needs LIKE ? RETURNING point",
                    (f"changed since: {artefact.label}", f'%"{artefact.id}"%'),
                )
                stale = [row["point"] for row in rows]
            self._db.execute(
                "INSERT OR REPLACE INTO artefacts (id, kind, label, state, reason, traceback, files, seconds, run) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    artefact.id,
                    artefact.kind,
                    artefact.label,
                    outcome.state,
                    outcome.reason,
                    outcome.traceback,
                    strict_json(files),
                    outcome.seconds,
                    run,
                ),
            )
        return stale

    def record_environment(self, name: str, facts: Mapping[str, Any]) -> None:
        """Store the facts behind an environment's hash, once."""
        with self._commit():
            self._db.execute("INSERT OR IGNORE INTO environments (id, facts) VALUES (?, ?)", (name, strict_json(facts)))

    def environments(self) -> dict[str, dict[str, Any]]:
        return {r["id"]: json.loads(r["facts"]) for r in self._db.execute("SELECT * FROM environments ORDER BY id")}

    def forget(self, points: Iterable[str], reason: str) -> None:
        """Return rows to ``not_run``: what they rested on is damaged."""
        with self._commit():
            self._db.executemany(
                "UPDATE cells SET state = 'not_run', reason = ?, columns = '{}', timing = NULL WHERE point = ?",
                [(reason, p) for p in points],
            )

    def forget_artefact(self, artefact: str) -> None:
        with self._commit():
            self._db.execute("DELETE FROM artefacts WHERE id = ?", (artefact,))

    def reindex(self) -> None:
        with self._commit():
            self._db.execute("REINDEX")

    def close(self) -> None:
        self._db.close()

    def _insert(self, planned: PlannedCell, position: int) -> None:
        self._db.execute(
            "INSERT INTO cells (point, cell_id, position, listed, label, spec, basis, needs, state, reason, columns) "
            "VALUES (?, ?, ?, 1, ?, ?, ?, ?, 'not_run', '', '{}')",
            (
                planned.point,
                planned.id,
                position,
                planned.cell.label,
                strict_json(planned.cell.to_json()),
                strict_json(planned.basis),
                strict_json(planned.needs),
            ),
        )

    @contextmanager
    def _commit(self) -> Iterator[None]:
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.OperationalError as error:
            # A quota or file-size limit surfaces as an I/O error, a full disk as SQLITE_FULL.
            if "full" in str(error) or "disk I/O" in str(error):
                raise full_disk(error, self.folder / JOURNAL) from error
            raise


@contextmanager
def open_store(folder: Path) -> Iterator[Store]:
    """Open or create a run folder's journal for writing, as its only owner.

    Raises
    ------
    AttnsError
        Another process owns it (with its pid), or it was written by a newer version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ownership(folder):
        store = Store(folder, connect(folder))
        try:
            yield store
        finally:
            store.close()


def read_store(folder: str | Path) -> Store:
    """Open a run folder's journal for reading, also while a run writes it.

    Raises
    ------
    AttnsError
        There is no journal in the folder.
    """
    folder = Path(folder)
    return Store(folder, connect_to_read(folder))


def _decoded(row: sqlite3.Row, names: tuple[str, ...]) -> dict[str, Any]:
    result = dict(row)
    for name in names:
        if result.get(name) is not None:
            result[name] = json.loads(result[name])
    return result


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [k for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
