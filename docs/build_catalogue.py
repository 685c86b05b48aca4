"""MkDocs hook: writes the catalogue of everything registered before the site is built."""

from pathlib import Path
from typing import Any

from attns_harness.catalogue import write_catalogue

from attns_core import build_registry


def on_pre_build(config: Any) -> None:
    write_catalogue(build_registry(), Path(config["docs_dir"]) / "catalogue")
