"""A matrix over backends on a machine without a GPU."""

from pathlib import Path

import numpy as np
import pytest
from attns_harness.provenance import GPU_COLUMNS
from attns_harness.tables import read_results
from attns_harness.worker import gpu_columns
from runs import run

from attns_core.solution import Solution

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


def test_rows_of_a_gpu_name_it_and_its_driver() -> None:
    facts = {"device": "cuda:1", "gpu": "NVIDIA X", "driver": "570.1", "cuda": "12.8", "torch": "2.13.0"}
    given = {**facts, "compiled": True, "gpu_memory_bytes": 1}
    solution = Solution(t=np.zeros(1), u=np.zeros((1, 2, 1)), n_steps=0, nfe=0, extra=given)
    assert gpu_columns(solution) == facts
    assert tuple(facts) == GPU_COLUMNS
    on_a_cpu = Solution(t=np.zeros(1), u=np.zeros((1, 2, 1)), n_steps=0, nfe=0, extra={"device": "cpu"})
    assert gpu_columns(on_a_cpu) == {}
