"""Dask workers from Slurm: jobs as configured for dask-jobqueue, replaced when Slurm ends them."""

import time
from typing import Any, final

from attns_core.errors import AttnsError

GRACE_S = 30.0
"""How long a job may be without a worker before it counts as lost: nannies restart their workers."""

RECIPE = "see 'Slurm, step by step' in docs/scaling.md"


@final
class SlurmJobs:
    """The jobs behind a cluster of ``workers`` Dask workers.

    A job ends at its wall time, or when a node fails; dask-jobqueue leaves the gap, which over the hours
    of a long matrix would leave no worker at all.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._seen: set[str] = set()
        self._missing: dict[str, float] = {}

    def start(self) -> Any:
        """A cluster whose jobs are queued.

        Raises
        ------
        AttnsError
            dask-jobqueue is not installed or not configured.
        """
        try:
            from dask_jobqueue import SLURMCluster  # type: ignore[import-not-found]
        except ImportError:
            raise AttnsError("--executor slurm needs dask-jobqueue: pip install 'attns[slurm]'") from None
        from dask.config import get as configured

        # Asked first: a cluster that fails while it is made leaves warnings behind.
        missing = [name for name in ("cores", "memory") if configured(f"jobqueue.slurm.{name}", None) is None]
        if missing:
            raise AttnsError(f"dask-jobqueue is not told how much {' and '.join(missing)} a Slurm job has ({RECIPE})")
        try:
            cluster = SLURMCluster()
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            told = next(iter(str(error).splitlines()), type(error).__name__)
            raise AttnsError(f"dask-jobqueue cannot describe a Slurm job: {told} ({RECIPE})") from None
        cluster.scale(self._workers)
        return cluster

    def replace_lost(self, cluster: Any) -> None:
        """Queue a job for each that had workers and lost them all for good."""
        names = {str(w["name"]) for w in cluster.scheduler_info["workers"].values()}
        # A worker has its job's name, with a number behind it where the job has several.
        present = names | {name.rpartition("-")[0] for name in names}
        now = time.monotonic()
        for job in list(cluster.worker_spec):
            if job in present:
                self._seen.add(job)
                self._missing.pop(job, None)
            elif job in self._seen and now > self._missing.setdefault(job, now) + GRACE_S:
                # As Dask itself forgets lost workers; what is planned and not there is then started.
                cluster.workers.pop(job, None)
                self._seen.remove(job)
                del self._missing[job]
                cluster.scale(self._workers)
