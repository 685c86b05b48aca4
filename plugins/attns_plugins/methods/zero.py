"""The increment zero: correctors on it learn the whole flow map."""

from attns_core import Citation, ZeroIncrement

ZERO = ZeroIncrement(
    name="zero",
    title="No increment",
    tags=frozenset({"flow-map"}),
    citation=Citation(
        key="qin2019",
        authors="T. Qin, K. Wu, D. Xiu",
        title="Data driven governing equations approximation using deep neural networks",
        where="Journal of Computational Physics 395, 620-635",
        year=2019,
        doi="10.1016/j.jcp.2019.06.042",
    ),
)
