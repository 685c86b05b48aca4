"""Writing Python source with indentation."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, final


@final
@dataclass(frozen=True)
class Loop:
    """A loop of ``count`` rounds among the statements of a trajectory.

    Parameters
    ----------
    count : int
    common : tuple of str
        Once per round, from the counter ``term``: the same for all trajectories.
    lines : tuple of str
        Once per round and trajectory.
    """

    count: int
    common: tuple[str, ...]
    lines: tuple[str, ...]

    @property
    def head(self) -> str:
        return f"for term in range({self.count})"


Statement: TypeAlias = str | Loop
"""One line, or a loop of several."""


@final
class Source:
    """Lines of a module under construction.

    Attributes
    ----------
    held : int
        Values per trajectory that lane loops of the present function keep in an array (see
        :func:`attns_core.kernels.lanes.lane_loop`).
    is_direct : bool
        What is written now becomes a function of statements (see :func:`attns_core.kernels.lanes.written`).
    """

    def __init__(self) -> None:
        self._items: list[tuple[int, Statement]] = []
        self._depth = 0
        self.held = 0
        self.is_direct = False
        self._definitions: dict[str, None] = {}
        self._place = 0

    def line(self, text: Statement = "") -> None:
        self._items.append((self._depth, text))

    def lines(self, texts: Iterable[Statement]) -> None:
        for text in texts:
            self.line(text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """``head:`` and what is written inside, indented."""
        self.line(head + ":")
        self._depth += 1
        yield
        self._depth -= 1

    def place_definitions(self) -> None:
        """Here :meth:`define` writes, whenever it is called."""
        self._place = len(self._items)

    def define(self, texts: Iterable[str]) -> None:
        """Write definitions of the module, once each."""
        self._definitions |= dict.fromkeys(texts)

    @property
    def n_definitions(self) -> int:
        return len(self._definitions)

    def mark(self) -> int:
        """The present position, for :meth:`since`, :meth:`take` and :meth:`insert`."""
        return len(self._items)

    def since(self, mark: int) -> list[tuple[int, Statement]]:
        """What was written since, each statement with its depth below the present one."""
        return [(depth - self._depth, item) for depth, item in self._items[mark:]]

    def take(self, mark: int) -> list[tuple[int, Statement]]:
        """As :meth:`since`, and forget it."""
        taken = self.since(mark)
        del self._items[mark:]
        return taken

    def insert(self, mark: int, text: str) -> None:
        """Write a line at an earlier position, in the present depth."""
        self._items.insert(mark, (self._depth, text))

    def text(self) -> str:
        definitions = [(0, item) for item in self._definitions]
        items = [*self._items[: self._place], *definitions, *self._items[self._place :]]
        return "\n".join(indented(items)) + "\n"


def indented(items: Iterable[tuple[int, Statement]]) -> list[str]:
    """Statements with their depths as lines of text."""
    lines: list[str] = []
    for depth, item in items:
        if isinstance(item, Loop):
            lines.append("    " * depth + item.head + ":")
            lines += ["    " * (depth + 1) + line for line in (*item.common, *item.lines)]
        else:
            lines.append("    " * depth + item if item else "")
    return lines
