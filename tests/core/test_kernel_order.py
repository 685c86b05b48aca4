"""Statements of a step in the order in which few values are alive."""

from itertools import pairwise

from attns_core.kernels.order import SPACE, depth_first, ordered, spaced


def test_values_come_shortly_before_their_use() -> None:
    statements = [
        "u0 = w[0]", "u1 = w[1]", "a = u0 * q0", "b = u1 * q0", "c = fma(a, b, u1)", "unused = u0 + u1",
        "w[0] = u0 + a", "w[1] = u1 + c",
    ]  # fmt: skip
    assert depth_first(statements) == [
        "u0 = w[0]", "a = u0 * q0", "w[0] = u0 + a", "u1 = w[1]", "b = u1 * q0", "c = fma(a, b, u1)", "w[1] = u1 + c",
    ]  # fmt: skip


def test_names_that_are_assigned_twice_keep_their_order() -> None:
    statements = ["u0 = w[0]", "u1 = w[1]", "u0 = u0 + u1", "u1 = u1 - u0", "w[0] = u0", "w[1] = u1"]
    assert ordered(statements) == statements


def test_independent_chains_are_interwoven() -> None:
    chains = [
        [f"{c}0 = w[{c}]", *(f"{c}{i} = {c}{i - 1} + {c}0" for i in range(1, 5)), f"w[{c}] = {c}4"] for c in "abcdefgh"
    ]
    order = spaced([statement for chain in chains for statement in chain])
    assert sorted(order) == sorted(statement for chain in chains for statement in chain)
    for chain in chains:
        places = [order.index(statement) for statement in chain]
        assert places == sorted(places)
    # The first chain waits for nothing but its own values.
    places = [order.index(statement) for statement in chains[0][1:]]
    assert [after - before for before, after in pairwise(places)] == [SPACE + 1] * 4


def test_a_single_chain_stays() -> None:
    statements = ["a0 = w[0]", "a1 = a0 * a0", "a2 = a1 * a0", "w[0] = a2"]
    assert spaced(statements) == statements
