"""Statements of a step in the order in which few values are alive."""

from attns_core.kernels.order import depth_first


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
    assert depth_first(statements) == statements
