"""Errors that a user is meant to read: one screen, naming the value, the place and the remedy."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class AttnsError(Exception):
    """Something the caller can mend; the message says what and how. The command line exits with 2."""


class UnknownNameError(AttnsError):
    """A name that nothing registered answers to.

    Parameters
    ----------
    kind : str
        What was looked up, e.g. ``"equation"``.
    name : str
        The name as given.
    known : iterable of str
        All names that would have worked.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(sorted(known))
        near = get_close_matches(name, self.known, n=3, cutoff=0.5)
        if near:
            hint = "did you mean " + " or ".join(repr(n) for n in near) + "?"
        elif self.known:
            hint = "known: " + ", ".join(self.known)
        else:
            hint = "none is registered; see 'attns plugins'"
        super().__init__(f"unknown {kind} {name!r}: {hint}")

    def __reduce__(self) -> Any:
        # Exceptions are rebuilt from their args by default, which would lose the known names.
        return (_rebuild, (self.kind, self.name, self.known, self.args))


def _rebuild(kind: str, name: str, known: tuple[str, ...], args: tuple[str, ...]) -> UnknownNameError:
    error = UnknownNameError(kind, name, known)
    error.args = args
    return error
