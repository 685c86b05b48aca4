"""Tsitouras' pair of orders 5(4), first same as last; coefficients to double precision."""

from attns_core import ButcherTableau, Citation, ExplicitRungeKutta

TSIT5 = ExplicitRungeKutta(
    name="tsit5",
    title="Tsitouras 5(4)",
    order=5,
    error_order=4,
    tableau=ButcherTableau.from_text("""
                         0 |
                     0.161 | 0.161
                     0.327 | -0.008480655492356989 0.335480655492357
                       0.9 | 2.8971530571054935 -6.359448489975075 4.3622954328695815
        0.9800255409045097 | 5.325864828439257 -11.748883564062828 7.4955393428898365 -0.09249506636175525
                         1 | 5.86145544294642 -12.92096931784711 8.159367898576159 -0.071584973281401
                             -0.028269050394068383
                         1 | 0.09646076681806523 0.01 0.4798896504144996 1.379008574103742 -3.290069515436081
                             2.324710524099774
        -------------------+------------------------------------------------------------
                         b | 0.09646076681806523 0.01 0.4798896504144996 1.379008574103742 -3.290069515436081
                             2.324710524099774 0
                   b_error | 0.00178001105222577714 0.0008164344596567469 -0.007880878010261995 0.1447110071732629
                             -0.5823571654525552 0.45808210592918697 -1/66
    """),
    tags=frozenset({"runge-kutta"}),
    citation=Citation(
        key="tsitouras2011",
        authors="Ch. Tsitouras",
        title="Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying assumption",
        where="Computers and Mathematics with Applications 62, 770-775",
        year=2011,
        doi="10.1016/j.camwa.2011.06.002",
    ),
)
