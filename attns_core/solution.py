"""A solution: saved states, counters and what became of each trajectory."""

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from attns_core.types import Array


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """What a solver returns for a problem.

    Parameters
    ----------
    t : array, shape (n_save,)
        Saved times, equal to the problem's.
    u : array, shape (n_save, dim, n)
        Saved states; ``u[0]`` is the initial state. Non-finite from the moment a trajectory is lost.
    n_steps, nfe, n_corrector : array, shape (n,), int64
        Accepted steps, right-hand-side evaluations and corrector evaluations per trajectory.
    n_rejected : array, shape (n,), int64
        Rejected steps of adaptive methods.
    message : str
        Why trajectories were given up, if any were.
    extra : mapping
        What a backend wants recorded: threads, fast-math, block size, device.
    """

    t: Array
    u: Array
    n_steps: Any
    nfe: Any
    n_corrector: Any = None
    n_rejected: Any = None
    message: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = self.u.shape[2]
        for name in ("n_steps", "nfe", "n_corrector", "n_rejected"):
            value = getattr(self, name)
            counts = np.broadcast_to(np.asarray(0 if value is None else value, dtype=np.int64), (n,))
            object.__setattr__(self, name, counts)

    @property
    def finite(self) -> Any:
        """Which trajectories stayed finite at every saved time, shape ``(n,)``, bool."""
        return np.isfinite(self.u).all(axis=(0, 1))

    def _repr_html_(self) -> str:
        """For notebooks: counters and the first trajectory."""
        from attns_core.notebook import solution_html

        return solution_html(self)
