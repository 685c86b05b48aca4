"""Writing Python source with indentation."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import final


@final
class Source:
    """Lines of a module under construction."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 0

    def line(self, text: str = "") -> None:
        self._lines.append("    " * self._depth + text if text else "")

    def lines(self, texts: Iterable[str]) -> None:
        for text in texts:
            self.line(text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """``head:`` and what is written inside, indented."""
        self.line(head + ":")
        self._depth += 1
        yield
        self._depth -= 1

    def text(self) -> str:
        return "\n".join(self._lines) + "\n"
