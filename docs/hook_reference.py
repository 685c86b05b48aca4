"""The last section of every page in ``docs/hooks``: what a hook returns, from its docstring.

``python docs/hook_reference.py`` writes the sections; a test holds them against the code.
"""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attns_core.plugin import KINDS, Kind

FOLDER = Path(__file__).parent / "hooks"


def reference(kind: Kind) -> str:
    """Fields and methods of what a hook returns, as Markdown."""
    returned = getattr(importlib.import_module(kind.module), kind.type_name)
    doc = inspect.getdoc(returned) or ""
    lines = [f"## `{kind.module}.{kind.type_name}`", "", _plain(doc.splitlines()[0]), ""]
    fields = list(_fields(doc))
    if fields:
        lines += ["| field | type | meaning |", "|---|---|---|"]
        lines += [f"| `{name}` | {what} | {meaning} |" for name, what, meaning in fields]
    methods = list(_methods(returned))
    if methods:
        lines += ["", "| method | meaning |", "|---|---|"]
        lines += [f"| `{call}` | {meaning} |" for call, meaning in methods]
    return "\n".join(lines) + "\n"


def _fields(doc: str) -> Iterator[tuple[str, str, str]]:
    """Entries of the section Parameters or Attributes of a NumPy docstring."""
    section = re.search(r"^(?:Parameters|Attributes)\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", doc, re.MULTILINE | re.DOTALL)
    for entry in re.split(r"\n(?=\S)", section[1].strip()) if section else ():
        head, *rest = entry.splitlines()
        names, _, what = head.partition(" : ")
        meaning = " ".join(line.strip() for line in rest)
        yield names.replace(", ", "`, `"), _plain(what), _plain(meaning)


def _methods(returned: Any) -> Iterator[tuple[str, str]]:
    """Methods and properties that a subclass may define: those of abstract classes."""
    if not inspect.isabstract(returned):
        return
    for name, member in vars(returned).items():
        function = member.fget if isinstance(member, property) else member
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        arguments = list(inspect.signature(function).parameters.values())[1:]
        call = name if isinstance(member, property) else f"{name}({_starred(arguments)})"
        abstract = "" if getattr(member, "__isabstractmethod__", False) else " (optional)"
        yield call, _plain((inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")) + abstract


def _starred(parameters: list[inspect.Parameter]) -> str:
    """Names as in the signature, with the mark before those that are given by name."""
    shown: list[str] = []
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        shown.append(f"**{p.name}" if p.kind is p.VAR_KEYWORD else p.name)
    return ", ".join(shown)


def _plain(text: str) -> str:
    """A docstring's markup as Markdown, fit for a table."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")
    return text.replace("|", "\\|").strip()


def write() -> None:
    for kind in KINDS:
        page = FOLDER / f"{kind.hook}.md"
        above = page.read_text(encoding="utf-8").split("\n## `")[0].rstrip()
        page.write_text(f"{above}\n\n{reference(kind)}", encoding="utf-8")


if __name__ == "__main__":
    write()
