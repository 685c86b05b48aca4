"""Checking and repairing a run folder: the journal's soundness and the hash of every artefact."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

from attns_harness import artefacts
from attns_harness.cells import Cell
from attns_harness.store import Store, open_store
from attns_harness.tables import export


@final
@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was found and what was done about it."""

    artefacts: int
    damaged: dict[str, str]
    journal: list[str]
    unreadable: list[str]
    returned: int = 0

    @property
    def sound(self) -> bool:
        return not (self.damaged or self.journal or self.unreadable)


def examine(folder: Path, *, repair: bool) -> Diagnosis:
    """Verify a run folder; with ``repair`` rebuild indexes and return what rests on damage to ``not_run``.

    Raises
    ------
    AttnsError
        The folder is in use, or its journal cannot be opened.
    """
    with open_store(folder) as store:
        journal = store.check()
        damaged: dict[str, str] = {}
        stored = store.artefacts()
        for name, row in stored.items():
            if row["state"] != "ok":
                continue
            try:
                artefacts.verify(folder / "artefacts", name, row["files"])
            except artefacts.DamagedArtefactError as error:
                damaged[name] = str(error)
        unreadable = [row["point"] for row in store.rows() if not _readable(row["spec"])]
        returned = _repair(store, damaged, unreadable) if repair else 0
        return Diagnosis(
            artefacts=len(stored), damaged=damaged, journal=journal, unreadable=unreadable, returned=returned
        )


def _repair(store: Store, damaged: dict[str, str], unreadable: list[str]) -> int:
    store.reindex()
    points = [row["point"] for row in store.rows() if damaged.keys() & set(row["needs"])]
    store.forget({*points, *unreadable}, "what it rested on was damaged")
    for name in damaged:
        store.forget_artefact(name)
    export(store)
    return len({*points, *unreadable})


def _readable(spec: dict[str, object]) -> bool:
    try:
        Cell.from_json(spec)
    except (KeyError, TypeError):
        return False
    return True
