"""What the compiled backend needs to know about a learned tableau: sets of weights, queries, and their numbers."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.correction import learned_weights
from attns_core.kernels.fixed import staged_coefficients
from attns_core.kernels.queries import Queries, is_quadratic, query_arrays
from attns_core.kernels.stage_arrays import of_blocks
from attns_core.method import ExplicitRungeKutta
from attns_core.trained_corrector import TrainedCorrector
from attns_core.types import Array


@final
@dataclass(frozen=True, eq=False)
class LearnedTables:
    """A method's weights with what a learned tableau adds to them, by feature and block of components.

    Parameters
    ----------
    method : ExplicitRungeKutta
    corrector : TrainedCorrector
    a, b : array, shapes (features, stages, stages, sets) and (features, stages, sets)
    """

    method: ExplicitRungeKutta
    corrector: TrainedCorrector
    a: Array
    b: Array

    @property
    def sets(self) -> int:
        """Sets of weights, each of which serves a block of components."""
        return int(self.b.shape[-1])

    @property
    def attentive_weights(self) -> int:
        """Weights that each trajectory has of its own."""
        stages = int(np.count_nonzero(self.method.tableau.needed))
        return self.sets * stages * (stages + 1) // 2 if self.corrector.is_attentive else 0

    @property
    def queries(self) -> Queries | None:
        """The compiled-in part of the queries."""
        if not self.corrector.is_attentive:
            return None
        trained = self.corrector
        limited, quadratic = trained.lower is not None, is_quadratic(trained.exponents)
        return Queries(len(self.b) - 1, trained.mean.size, limited=limited, quadratic=quadratic)

    def arrays(self, dtype: str) -> tuple[Any, ...]:
        """The staged form's arguments."""
        t, trained = self.method.tableau, self.corrector
        tables = [
            staged_coefficients(a, b, t.c, t.needed, dtype=dtype, full=True)
            for a, b in zip(self.a, self.b, strict=True)
        ]
        if not trained.is_attentive:
            return tables[0]
        (starts, slots, _, times, after), (layer,) = tables[0], trained.layers
        weights = np.stack([weights for _, _, weights, _, _ in tables], axis=1)
        queries = query_arrays(
            mean=trained.mean,
            scale=trained.scale,
            lower=trained.lower,
            upper=trained.upper,
            weight=layer.weight,
            bias=layer.bias,
            exponents=trained.exponents,
            dtype=dtype,
        )
        return (starts, slots, weights, times, after, *queries)


def learned_tables(method: ExplicitRungeKutta, corrector: TrainedCorrector) -> LearnedTables:
    """The tables of a learned tableau, of as few sets of weights as do.

    Raises
    ------
    AttnsError
        If it has another number of stages than the method.
    """
    return LearnedTables(method, corrector, *of_blocks(*learned_weights(method, corrector.tableau)))
