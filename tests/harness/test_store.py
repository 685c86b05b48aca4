"""The journal: schema versions, strict JSON, rows that never go missing."""

import sqlite3
from pathlib import Path

import pytest
from attns_harness.journal import JOURNAL, strict_json
from attns_harness.matrix_file import parse_matrix
from attns_harness.migrations import VERSION
from attns_harness.outcome import Outcome
from attns_harness.plan import Plan, make_plan
from attns_harness.store import open_store, read_store
from runs import HERE, matrix_text

from attns_core.errors import AttnsError
from attns_core.registry import build_registry


@pytest.fixture(scope="module")
def plan() -> Plan:
    file = parse_matrix(matrix_text(["heun", "raises"]), HERE / "matrix.toml")
    return make_plan(file.matrix, build_registry(plugin_files=file.plugin_files))


def test_every_planned_cell_has_a_row_before_anything_runs(plan: Plan, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.lay_out(plan.cells)
        assert store.counts() == {"not_run": len(plan.cells)}


def test_rows_that_are_no_longer_planned_leave_the_table_and_come_back(plan: Plan, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.lay_out(plan.cells)
        store.record([(c, Outcome(state="ok", columns={"nfe": 3.0})) for c in plan.cells], 1, "e")
        store.lay_out(plan.cells[:1])
        assert store.counts() == {"ok": 1}
        store.lay_out(plan.cells)
        assert [row["columns"] for row in store.rows()] == [{"nfe": 3.0}] * len(plan.cells)


def test_numbers_that_json_does_not_have_are_refused(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        strict_json({"x": float("nan")})
    with open_store(tmp_path) as store:
        store.lay_out(plan.cells)
        with pytest.raises(ValueError, match="not JSON compliant"):
            store.record([(plan.cells[0], Outcome(state="ok", columns={"nfe": float("inf")}))], 1, "e")
        assert store.counts() == {"not_run": len(plan.cells)}


def test_a_journal_of_a_newer_version_is_refused_by_name(tmp_path: Path) -> None:
    with open_store(tmp_path):
        pass
    with sqlite3.connect(tmp_path / JOURNAL) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(AttnsError, match=f"schema {VERSION + 1}"), open_store(tmp_path):
        pass
    with pytest.raises(AttnsError, match=f"schema {VERSION + 1}"):
        read_store(tmp_path)


def test_a_file_that_is_no_journal_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b"rubbish" * 100)
    with pytest.raises(AttnsError, match="journal"), open_store(tmp_path):
        pass
    with pytest.raises(AttnsError, match="journal"):
        read_store(tmp_path)


def test_a_reader_sees_committed_rows_while_the_writer_is_open(plan: Plan, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.lay_out(plan.cells)
        reader = read_store(tmp_path)
        assert reader.counts() == {"not_run": len(plan.cells)}
        store.record([(plan.cells[0], Outcome(state="timeout", reason="slow"))], 1, "e")
        assert reader.counts()["timeout"] == 1
        assert reader.failures()[0]["reason"] == "slow"
        reader.close()
