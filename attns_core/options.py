"""Options of frozen objects by name, as matrices and the command line give them."""

from dataclasses import fields, replace
from typing import Any, TypeVar

from attns_core.errors import AttnsError

T = TypeVar("T")


def replace_options(value: T, label: str, options: dict[str, Any]) -> T:
    """A copy of a frozen dataclass with other options; lists become tuples.

    Raises
    ------
    AttnsError
        For an unknown option; the message lists the known ones.
    """
    known = [f.name for f in fields(value) if f.init]  # type: ignore[arg-type]
    for key in options:
        if key not in known:
            raise AttnsError(f"{label} has no option {key!r}; options: {', '.join(sorted(known))}")
    clean = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    return replace(value, **clean)  # type: ignore[type-var]
