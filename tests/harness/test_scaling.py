"""Ten thousand cells: what the runner itself costs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "runner_scaling.py"


@pytest.mark.soak
def test_ten_thousand_trivial_cells_stay_within_the_limits(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    subprocess.run([sys.executable, str(SCRIPT), "--cells", "10000", "--json", str(out)], check=True)
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["states"] == {"ok": 10_000}
    assert figures["worker_time_per_cell_ms"] < 50
    assert figures["coordinator_peak_mib"] < 500


def test_a_simulated_run_stores_every_cell(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    subprocess.run([sys.executable, str(SCRIPT), "--cells", "40", "--simulate", "--json", str(out)], check=True)
    figures = json.loads(out.read_text(encoding="utf-8"))
    assert figures["cells"] == 40
    assert figures["cells_per_second"] > 0
    assert figures["journal_bytes_per_cell"] > 0
