"""Several steps of a method as one, for learned tableaus, which use the number of stages and not their weights."""

from attns_core import ExplicitRungeKutta
from attns_plugins.methods.dop853 import DOP853
from attns_plugins.methods.rk3 import RK3
from attns_plugins.methods.verner7 import VERNER7


def _composed(method: ExplicitRungeKutta, steps: int, times: str) -> ExplicitRungeKutta:
    return ExplicitRungeKutta(
        name=f"{method.name}-{times.replace(' ', '-')}",
        title=f"{method.title} {times}",
        order=method.order,
        tableau=method.tableau.repeated(steps),
        citation=method.citation,
        tags=method.tags | {"composed"},
    )


COMPOSED = (
    _composed(VERNER7, 2, "twice"),  # 18 stages
    _composed(DOP853, 2, "twice"),  # 24 stages
    _composed(RK3, 9, "nine times"),  # 27 stages
)
