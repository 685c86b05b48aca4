"""The explicit Euler method: one evaluation, order 1."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

EULER = ExplicitRungeKutta(
    name="euler",
    title="Explicit Euler",
    order=1,
    tableau=ButcherTableau.from_text("""
        0 |
        --+--
        b | 1
    """),
    tags=frozenset({"runge-kutta"}),
    citation=Citation(
        key="euler1768",
        authors="L. Euler",
        title="Institutionum calculi integralis, volumen primum",
        where="Academia Imperialis Scientiarum, Petropoli",
        year=1768,
    ),
)
