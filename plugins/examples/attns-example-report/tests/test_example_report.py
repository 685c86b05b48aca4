"""The report example-report."""

from pathlib import Path

import pandas as pd

from attns_core import build_registry


def test_it_writes_every_state(tmp_path: Path) -> None:
    table = pd.DataFrame({"solver": ["rk4", "rk4", "euler"], "state": ["ok", "ok", "diverged"]})
    (path,) = build_registry().get("report", "example-report").write(table, tmp_path, "a run")
    assert path.read_text().splitlines() == ["solver,state,cells", "euler,diverged,1", "rk4,ok,2"]
