"""A matrix over backends on a machine without a GPU."""

from pathlib import Path

import pytest
from attns_harness.tables import read_results
from runs import run

torch = pytest.importorskip("torch")

TEXT = """
name = "devices"
[timing]
enabled = false
[[block]]
methods = ["rk4"]
backends = ["numba", "torch-cpu", "torch-cuda"]
equations = [{ name = "lotka-volterra", t_end = 2, save_every = 0.5, n_trajectories = 3, dts = [0.125] }]
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_a_missing_device_is_skipped_with_its_reason_and_the_others_agree(tmp_path: Path) -> None:
    summary = run(TEXT, tmp_path)
    table = read_results(tmp_path).set_index("backend")
    assert table.loc["torch-cuda", ["state", "reason"]].tolist() == ["skipped", "no CUDA device"]
    assert table.loc[["numba", "torch-cpu"], "state"].tolist() == ["ok", "ok"]
    assert table.loc["torch-cpu", "error_l2"] == pytest.approx(table.loc["numba", "error_l2"], rel=1e-6)
    assert summary.failures == []
