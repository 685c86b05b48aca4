"""Errors are for people: they name the value and the remedy, and survive the way back from a worker."""

import pickle

from attns_core import AttnsError, UnknownNameError


def test_unknown_name_lists_the_nearest_else_all() -> None:
    assert str(UnknownNameError("method", "rk5", ["rk4", "heun"])) == "unknown method 'rk5': did you mean 'rk4'?"
    assert str(UnknownNameError("method", "zzz", ["rk4", "heun"])) == "unknown method 'zzz': known: heun, rk4"
    assert "see 'attns plugins'" in str(UnknownNameError("method", "rk4", []))


def test_errors_survive_pickling() -> None:
    error = UnknownNameError("method", "rk5", ["rk4"])
    error.args = ("message with more",)
    back = pickle.loads(pickle.dumps(error))
    assert isinstance(back, AttnsError)
    assert (str(back), back.known) == ("message with more", ("rk4",))
