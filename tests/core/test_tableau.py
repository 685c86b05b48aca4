"""Tableaus: what they refuse, the text form, and stability functions against the literature."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from attns_plugins.methods.bs3 import BS3
from attns_plugins.methods.dop853 import DOP853
from attns_plugins.methods.dopri5 import DOPRI5
from attns_plugins.methods.euler import EULER
from attns_plugins.methods.rk4 import RK4
from scipy.optimize import brentq

from attns_core import AttnsError, ButcherTableau, Citation, ExplicitRungeKutta

CITATION = Citation(key="none", authors="N. N.", title="None", where="Nowhere", year=2000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"c": [0, 1 / 3]}, r"row 2 of A sums to 0.5, c is 0.333"),
        ({"b": [0, 0.9]}, r"b sums to 0.9, must be 1"),
        ({"b": [1]}, r"A has 2 rows, b 1, c 2"),
        ({"a": [[], [0, 1 / 2]]}, r"strictly lower triangular"),
        ({"a": [[], [1 / 2, 0, 0]]}, r"row 2 of A has 3 entries, there are 2 stages"),
        ({"b_error": [1, 0]}, r"b_error sums to 1, must be 0"),
        ({"b_error": [0]}, r"b_error has 1 entries, there are 2 stages"),
        ({"b": [0, "one"]}, r"b must hold numbers or strings"),
        ({"b": [0, float("nan")]}, r"b must hold numbers"),
        ({"c": [0, "1/0"]}, r"c must hold numbers"),
    ],
)
def test_inconsistent_coefficients_are_refused(changes: dict[str, Any], message: str) -> None:
    midpoint: dict[str, Any] = {"a": [[], [1 / 2]], "b": [0, 1], "c": [0, 1 / 2]}
    with pytest.raises(AttnsError, match=message):
        ButcherTableau(**(midpoint | changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3", "first line must be"),
        ("0 |", "weight rows must be b"),
        ("0 |\nb | 1\nb_hut | 1", "weight rows must be b"),
        ("0 |\nb | 1/2\nb | 1", "weight rows must be b"),
        ("0 |\n1 | 1\nb | 1/2 1/2\nb_hat | 1", "b has 2 entries, b_hat 1"),
    ],
)
def test_unreadable_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(AttnsError, match=message):
        ButcherTableau.from_text(text)


def test_text_and_lists_are_the_same_tableau() -> None:
    heun = ButcherTableau.from_text("""
          0 |
          1 | 1
        ----+--------
          b | 1/2
              1/2
        b_hat | 1 0
    """)
    np.testing.assert_array_equal(heun.a, [[0, 0], [1, 0]])
    np.testing.assert_array_equal(heun.b_error, [-0.5, 0.5])
    assert heun.exact.b == (Fraction(1, 2), Fraction(1, 2))
    assert not heun.a.flags.writeable


def test_derived_properties() -> None:
    assert DOPRI5.tableau.is_fsal
    assert (DOPRI5.stages, DOPRI5.tableau.effective_stages) == (7, 6)
    assert BS3.tableau.is_fsal
    assert not RK4.tableau.is_fsal


def test_methods_must_attain_what_they_declare() -> None:
    with pytest.raises(AttnsError, match=r"declared of order 5, but violates the condition of order 5"):
        ExplicitRungeKutta(name="rk4", title="", order=5, tableau=RK4.tableau, citation=CITATION)
    with pytest.raises(AttnsError, match=r"embedded solution is declared of order 3"):
        ExplicitRungeKutta(name="bs3", title="", order=3, error_order=3, tableau=BS3.tableau, citation=CITATION)
    with pytest.raises(AttnsError, match=r"b_error and error_order come together"):
        ExplicitRungeKutta(name="bs3", title="", order=3, tableau=BS3.tableau, citation=CITATION)


def test_stability_function_is_the_truncated_exponential() -> None:
    z = np.array([-1.0 + 0.5j, 0.3j, 2.0])
    np.testing.assert_allclose(RK4.tableau.stability(z), 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24, rtol=1e-14)
    np.testing.assert_allclose(EULER.tableau.stability(z), 1 + z, rtol=1e-14)


def test_stability_limits_of_rk4() -> None:
    """Real interval 2.785, imaginary interval 2.828 (Hairer, Wanner II, IV.2)."""
    real = brentq(lambda x: abs(complex(RK4.tableau.stability(-x))) - 1, 2, 4)
    imaginary = brentq(lambda y: abs(complex(RK4.tableau.stability(1j * y))) - 1, 2, 4)
    assert real == pytest.approx(2.785293563405282, abs=1e-12)
    assert imaginary == pytest.approx(np.sqrt(8), abs=1e-12)


def test_steps_repeated_are_one_step_of_more_stages() -> None:
    for method in (RK4, DOPRI5, DOP853):
        twice = method.tableau.repeated(2)
        assert twice.stages == 2 * method.tableau.effective_stages
        z = np.linspace(-3, 1, 9) + 0.5j
        np.testing.assert_allclose(twice.stability(z), method.tableau.stability(z / 2) ** 2, rtol=1e-12)
        assert twice.b_error is None
