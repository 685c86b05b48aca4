"""The journal's schema and the steps from each version to the next."""

import sqlite3
from pathlib import Path

from attns_core.errors import AttnsError

_STEPS = (
    # 1: the first schema.
    """
    CREATE TABLE cells (
        point TEXT PRIMARY KEY,
        cell_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        listed INTEGER NOT NULL,
        label TEXT NOT NULL,
        spec TEXT NOT NULL,
        basis TEXT NOT NULL,
        needs TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        traceback TEXT,
        output TEXT,
        columns TEXT NOT NULL,
        timing TEXT,
        seconds REAL,
        run INTEGER,
        timed_run INTEGER,
        environment TEXT
    ) WITHOUT ROWID;
    CREATE INDEX cells_by_position ON cells (listed, position);
    CREATE TABLE artefacts (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        label TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        traceback TEXT,
        files TEXT NOT NULL,
        seconds REAL,
        run INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        started REAL NOT NULL,
        finished REAL,
        pid INTEGER NOT NULL,
        state TEXT NOT NULL,
        provenance TEXT NOT NULL,
        matrix TEXT NOT NULL,
        command TEXT NOT NULL,
        live TEXT
    );
    CREATE TABLE environments (id TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID;
    """,
)

VERSION = len(_STEPS)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a journal to the present schema, one version at a time, each in a transaction.

    Raises
    ------
    AttnsError
        The journal was written by a newer version.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise AttnsError(f"{path} has schema {version}; this version knows up to {VERSION}: install a newer attns")
    for number in range(version, VERSION):
        connection.executescript(f"BEGIN IMMEDIATE; {_STEPS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
