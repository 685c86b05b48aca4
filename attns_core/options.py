"""Options of frozen objects by name, as matrices and the command line give them."""

from dataclasses import fields, replace
from typing import Any, TypeVar

from attns_core.errors import AttnsError

T = TypeVar("T")


def replace_options(value: T, label: str, options: dict[str, Any]) -> T:
    """A copy of a frozen dataclass with other options; lists, and one value where several may stand, become tuples.

    Raises
    ------
    AttnsError
        For an unknown option, with the known ones in the message, and for text among numbers.
    """
    known = [f.name for f in fields(value) if f.init]  # type: ignore[arg-type]
    for key in options:
        if key not in known:
            raise AttnsError(f"{label} has no option {key!r}; options: {', '.join(sorted(known))}")
    clean = {key: _like(f"{label}: {key}", getattr(value, key), given) for key, given in options.items()}
    return replace(value, **clean)  # type: ignore[type-var]


def _like(option: str, before: Any, given: Any) -> Any:
    """``given`` as the option has it: a tuple in place of a list, or of one value where a tuple was ``before``."""
    if isinstance(given, list):
        given = tuple(given)
    if not isinstance(before, tuple):
        return given
    values = given if isinstance(given, tuple) else (given,)
    if (
        before
        and all(isinstance(v, int | float) for v in before)
        and not all(isinstance(v, int | float) for v in values)
    ):
        raise AttnsError(f"{option} takes numbers such as {','.join(map(str, before))}, got {given!r}")
    return values
