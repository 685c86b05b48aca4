"""Ownership of a run folder: one writer at a time, known by its process id."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attns_core.errors import AttnsError

LOCK = ".lock"


@contextmanager
def ownership(folder: Path) -> Iterator[None]:
    """Own a folder while the context lasts.

    Raises
    ------
    AttnsError
        Another process owns it; the message has its pid.
    """
    # The kernel drops the lock with its owner, however that dies.
    with open(folder / LOCK, "a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            owner = handle.read().strip() or "unknown"
            raise AttnsError(
                f"another 'attns run' (process {owner}) owns {str(folder)!r}; "
                "wait for it, stop it, or choose another --out"
            ) from None
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def owner_of(folder: Path) -> int | None:
    """Process id of the run that owns a folder; None when nobody does."""
    path = folder / LOCK
    if not path.is_file():
        return None
    with open(path, encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(handle.read().strip() or 0)
        fcntl.flock(handle, fcntl.LOCK_UN)
        return None
