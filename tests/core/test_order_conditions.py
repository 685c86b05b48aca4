"""Rooted trees and order conditions against tables of the literature."""

from fractions import Fraction

import pytest
from attns_plugins.methods.rk4 import RK4

from attns_core.order_conditions import density, first_violated, order_of, residuals, rooted_trees, vertices


def test_numbers_of_rooted_trees() -> None:
    """Sequence A000081."""
    assert [len(rooted_trees(order)) for order in range(1, 10)] == [1, 1, 2, 4, 9, 20, 48, 115, 286]
    assert all(vertices(tree) == 6 for tree in rooted_trees(6))


def test_densities_of_order_four() -> None:
    """Hairer, Norsett, Wanner I, table II.2.2."""
    assert sorted(density(tree) for tree in rooted_trees(4)) == [4, 8, 12, 24]


def test_densities_of_the_tall_and_the_bushy_tree() -> None:
    tall, bushy = ((((),),),), ((), (), ())
    assert density(tall) == 24
    assert density(bushy) == 4


def test_residuals_are_exact_fractions() -> None:
    exact = RK4.tableau.exact
    values = residuals(exact.a, exact.b, 5)
    assert all(isinstance(value, Fraction) for value in values.values())
    assert all(value == 0 for tree, value in values.items() if vertices(tree) <= 4)
    # The tall tree of order 5 has weight zero in any method of four stages: residual -1/120.
    assert values[((((),),),),] == Fraction(-1, 120)


@pytest.mark.parametrize("error", [1e-9, -1e-9])
def test_a_wrong_digit_is_found(error: float) -> None:
    a, b = RK4.tableau.a.copy(), RK4.tableau.b
    assert first_violated(a, b, 4, 1e-13) is None
    a[2, 1] += error
    violated = first_violated(a, b, 4, 1e-13)
    assert violated is not None
    assert order_of(a, b) == 1
