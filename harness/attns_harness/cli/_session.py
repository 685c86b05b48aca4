"""What commands share: the registry, built on first use, and output that suits the reader."""

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any, final

import click

from attns_core.registry import Registry, build_registry


@final
class Session:
    """The options of the ``attns`` group, and what follows from them."""

    def __init__(self, plugins: tuple[Path, ...] = (), strict: bool = False) -> None:
        self.plugins, self.strict = plugins, strict

    @cached_property
    def registry(self) -> Registry:
        return build_registry(plugin_files=self.plugins, strict=self.strict)

    def registry_with(self, files: tuple[Path, ...]) -> Registry:
        """With the single-file plugins of a matrix as well, each once."""
        files = tuple(dict.fromkeys([*(p.resolve() for p in self.plugins), *(f.resolve() for f in files)]))
        return build_registry(plugin_files=files, strict=self.strict)


def console(*, stderr: bool = False) -> Any:
    """A rich console; NO_COLOR and non-terminals are respected."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, no_color=True if os.environ.get("NO_COLOR") else None)


def print_json(value: Any) -> None:
    """Strict JSON for scripts."""
    click.echo(json.dumps(value, allow_nan=False, indent=2))
