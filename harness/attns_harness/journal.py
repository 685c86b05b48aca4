"""The journal's file: SQLite, in WAL mode with full synchronisation, and what a full disk is for a user."""

import errno
import json
import sqlite3
from pathlib import Path
from typing import Any

from attns_core.errors import AttnsError
from attns_harness.migrations import VERSION, migrate

JOURNAL = "journal.sqlite"

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when a disk, a quota or a file-size limit is reached."""


class StoreFullError(AttnsError):
    """The disk that holds the store is full; what was committed is safe."""

    exit_code = 1


def full_disk(error: Exception, place: Path) -> StoreFullError:
    """The error that a full disk is for a user."""
    return StoreFullError(
        f"cannot write {place}: {error}. Everything stored before is safe; "
        "free some space and start the same command again."
    )


def connect(folder: Path) -> sqlite3.Connection:
    """A connection that writes, made and brought up to date as needed.

    Raises
    ------
    AttnsError
        No journal this version knows, or the disk is full.
    """
    path = folder / JOURNAL
    try:
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection, path)
    except sqlite3.DatabaseError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise full_disk(error, path) from None
        raise AttnsError(f"{path} cannot be used as a journal: {error}") from None
    return connection


def connect_to_read(folder: Path) -> sqlite3.Connection:
    """A connection that only reads, also while a run writes.

    Raises
    ------
    AttnsError
        There is no journal in the folder, or not of this version.
    """
    if not (folder / JOURNAL).is_file():
        raise AttnsError(f"{str(folder)!r} is not a run folder: it has no {JOURNAL}")
    try:
        connection = sqlite3.connect(f"file:{folder / JOURNAL}?mode=ro", uri=True, timeout=30)
        connection.row_factory = sqlite3.Row
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise AttnsError(f"{folder / JOURNAL} cannot be read: {error}") from None
    if version != VERSION:
        raise AttnsError(f"{folder / JOURNAL} has schema {version}, this version reads {VERSION}; 'attns run' migrates")
    return connection


def strict_json(value: Any) -> str:
    """JSON without NaN or infinity, keys sorted."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))
