"""Splittings say which equations they apply to, and keep their order there."""

from typing import Any

import numpy as np
from attns_plugins.equations.elastic_pendulum import ELASTIC_PENDULUM
from attns_plugins.equations.henon_heiles import HENON_HEILES
from attns_plugins.methods.srkn11 import SRKN11
from attns_plugins.methods.yoshida4 import YOSHIDA4

from attns_core import Citation, Equation
from attns_core.splittings import why_not_split


def relativistic(t: Any, u: Any, p: Any, m: Any) -> Any:
    q, v = u
    return v / m.sqrt(1 + v**2), -m.sin(q)


RELATIVISTIC = Equation(
    name="relativistic-pendulum",
    title="Relativistic pendulum",
    description="Separable, but not of second order in the position.",
    rhs=relativistic,
    components=("q", "v"),
    sample=lambda p, rng, n: rng.uniform(-1, 1, (2, n)),
    t_end=1.0,
    dts=(0.1,),
    citation=Citation(key="none", authors="N. N.", title="None", where="Nowhere", year=2000),
)


def test_separable_systems_are_split() -> None:
    assert why_not_split(YOSHIDA4, HENON_HEILES) is None
    assert why_not_split(SRKN11, HENON_HEILES) is None
    assert why_not_split(YOSHIDA4, RELATIVISTIC) is None


def test_nystrom_coefficients_need_second_order_systems() -> None:
    assert "second-order system" in str(why_not_split(SRKN11, RELATIVISTIC))


def test_coupled_systems_are_not_split() -> None:
    assert "separable" in str(why_not_split(YOSHIDA4, ELASTIC_PENDULUM))


def test_coefficients_are_symmetric_and_consistent() -> None:
    for method in (YOSHIDA4, SRKN11):
        np.testing.assert_allclose([method.drift.sum(), method.kick.sum()], 1, rtol=1e-15)
        np.testing.assert_array_equal(method.kick, method.kick[::-1])
