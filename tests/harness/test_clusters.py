"""Dask clusters that somebody else starts: a running scheduler, and Slurm through dask-jobqueue."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attns_harness.executors.dask import LostSchedulerError
from attns_harness.executors.slurm import SlurmJobs
from attns_harness.store import read_store
from attns_harness.tables import read_results
from runs import matrix_text, run, stable

from attns_core.errors import AttnsError

pytestmark = pytest.mark.filterwarnings("default")  # Dask's own, while its processes end

SOLVERS = ["heun", "noisy", "raises"]
RECIPE = Path(__file__).parents[2] / "docs" / "scaling.md"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("local")
    run(matrix_text(SOLVERS), folder)
    return stable(read_results(folder))


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A scheduler and one worker, started as their manual says."""
    place = tmp_path / "scheduler.json"

    def start(program: str, *options: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", f"distributed.cli.dask_{program}", "--no-dashboard", *options]
        silent = subprocess.DEVNULL
        return subprocess.Popen(command, stdout=silent, stderr=silent, cwd=tmp_path, start_new_session=True)

    first = start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(place))
    second = start("worker", "--scheduler-file", str(place), "--nthreads", "1", "--death-timeout", "60")
    end = time.monotonic() + 60
    while not place.is_file() and time.monotonic() < end:
        time.sleep(0.1)
    try:
        found = re.search(r'"address": "(tcp:[^"]+)"', place.read_text(encoding="utf-8"))
        assert found
        yield found[1], first
    finally:
        for process in (second, first):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_running_scheduler_gives_the_same_table_and_its_loss_is_told(
    expected: str, scheduler: tuple[str, "subprocess.Popen[bytes]"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, process = scheduler
    run(matrix_text(SOLVERS), tmp_path / "out", executor="dask", scheduler=address)
    assert stable(read_results(tmp_path / "out")) == expected
    store = read_store(tmp_path / "out")
    rows, environments = list(store.rows()), store.environments()
    store.close()
    assert {environments[row["environment"]]["machine"]["architecture"] for row in rows} == {os.uname().machine}
    monkeypatch.setattr("attns_harness.executors.dask.CONNECT_S", 1.0)

    def lose(*_: object) -> None:
        os.killpg(process.pid, signal.SIGKILL)

    monkeypatch.setattr("attns_harness.coordinator.Coordinator._receive", lose)
    with pytest.raises(LostSchedulerError, match="start the same command again"):
        run(matrix_text(["relative"]), tmp_path / "more", executor="dask", scheduler=address)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """``sbatch`` and ``scancel`` that run jobs on this machine; the folder keeps the scripts of the jobs."""
    pytest.importorskip("dask_jobqueue")
    jobs, programs = tmp_path / "jobs", tmp_path / "bin"
    jobs.mkdir()
    programs.mkdir()
    submit = f"""\
        #!/bin/bash
        number=$(ls {jobs} | grep -c 'script$')
        cp "$1" {jobs}/$number.script
        setsid bash {jobs}/$number.script >{jobs}/$number.out 2>&1 </dev/null &
        echo $! >{jobs}/$number.pid
        echo "Submitted batch job $number"
    """
    cancel = f"""\
        #!/bin/bash
        kill -KILL -- -$(cat {jobs}/$1.pid) 2>/dev/null
        exit 0
    """
    for name, text in (("sbatch", submit), ("scancel", cancel)):
        (programs / name).write_text(textwrap.dedent(text), encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    yield jobs
    for pid in jobs.glob("*.pid"):
        subprocess.run([programs / "scancel", pid.stem], check=True)


def recipe() -> dict[str, object]:
    """The jobqueue configuration that the documentation shows."""
    import yaml

    found = re.search(r"^( *)jobqueue:\n(?:\1 +.*\n)+", RECIPE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    configuration: dict[str, object] = yaml.safe_load(textwrap.dedent(found[0]))["jobqueue"]["slurm"]
    return configuration


def configure(options: dict[str, object]) -> object:
    import dask

    return dask.config.set({f"jobqueue.slurm.{name}": value for name, value in options.items()})


@pytest.mark.usefixtures("slurm")
def test_the_documented_recipe_makes_the_job_it_promises() -> None:
    with configure(recipe()):  # type: ignore[attr-defined]
        cluster = SlurmJobs(32).start()
        try:
            script = cluster.job_script()
            assert len(cluster.worker_spec) == 2, "32 workers are two jobs of 16"
        finally:
            cluster.close()
    for line in ("#SBATCH -p normal", "#SBATCH --cpus-per-task=16", "#SBATCH --mem=60G", "#SBATCH -t 04:00:00"):
        assert line in script
    for option in ("--nworkers 16", "--nthreads 1", "--lifetime 230m", "--nanny"):
        assert option in script


@pytest.mark.soak
def test_cells_run_in_slurm_jobs_and_an_ended_job_is_replaced(
    expected: str, slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attns_harness.executors.slurm.GRACE_S", 0.5)
    ended = []

    def end_first_job(self: SlurmJobs, cluster: object) -> None:
        replace_lost(self, cluster)
        if cluster.scheduler_info["workers"] and not ended:  # type: ignore[attr-defined]
            subprocess.run(["scancel", "0"], check=True)
            ended.append(0)

    replace_lost = SlurmJobs.replace_lost
    monkeypatch.setattr(SlurmJobs, "replace_lost", end_first_job)
    small = {**recipe(), "cores": 1, "processes": 1, "memory": "2GB", "log-directory": str(tmp_path)}
    with configure(small):  # type: ignore[attr-defined]
        run(matrix_text(SOLVERS), tmp_path / "out", executor="slurm", workers=1)
    assert ended
    assert len(list(slurm.glob("*.script"))) == 2
    assert stable(read_results(tmp_path / "out")) == expected


def test_slurm_without_a_configuration_is_bad_input(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    with pytest.raises(AttnsError, match=r"how much cores.*docs/scaling\.md"):
        run(matrix_text(["heun"]), tmp_path, executor="slurm", workers=1)
