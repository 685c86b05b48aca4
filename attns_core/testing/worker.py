"""One worker process for the checks, started when first needed and ended with this process."""

import atexit
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any


def in_worker(plugin_files: tuple[Path, ...], function: Callable[..., Any], *args: Any) -> Any:
    """``function(*args)`` in a freshly imported process that has loaded the same plugins."""
    return _pool(plugin_files).submit(function, *args).result(timeout=120)


@lru_cache(maxsize=8)
def _pool(plugin_files: tuple[Path, ...]) -> ProcessPoolExecutor:
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_load_plugins, initargs=(plugin_files,))
    atexit.register(pool.shutdown, wait=True, cancel_futures=True)
    return pool


def _load_plugins(plugin_files: tuple[Path, ...]) -> None:
    from attns_core.registry import build_registry

    build_registry(plugin_files=plugin_files)
