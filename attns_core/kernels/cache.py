"""The kernel cache: generated sources as real files, beside numba's compiled code for them.

A kernel's name is the hash of its source and of everything it is built with, so that nothing stored
can be out of date. Whatever is wrong with the folder (missing, read-only, full, damaged), a kernel is
then compiled in memory: the cache saves time and decides nothing.
"""

import hashlib
import linecache
import os
import re
import stat
import sys
import tempfile
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, final

ENVIRONMENT_VARIABLE = "ATTNS_CACHE_DIR"
_IMPORT = re.compile(r"^from attns_core\.kernels\.(\w+) import ", re.MULTILINE)
_lock = threading.Lock()
_loaded: dict[str, ModuleType] = {}
_faults: list[str] = []


def cache_dir() -> Path:
    """Folder of generated kernels: under ``ATTNS_CACHE_DIR``, else the user's cache folder."""
    base = os.environ.get(ENVIRONMENT_VARIABLE)
    if base:
        return Path(base) / "kernels"
    home = os.environ.get("XDG_CACHE_HOME")
    if home:
        root = Path(home)
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA", str(Path.home())))
    else:
        root = Path.home() / ".cache"
    return root / "attns" / "kernels"


def load_kernel(source: str, entry: str) -> Any:
    """The compiled-on-call function ``entry`` of generated ``source``; the same object every time.

    Parameters
    ----------
    source : str
        Text of a module that defines ``entry`` with ``numba.njit`` (without ``cache=True``: caching is
        set up here).
    """
    digest = hashlib.sha256((source + _called(source)).encode()).hexdigest()[:20]
    with _lock:
        module = _loaded.get(digest)
        if module is None:
            module = _import(source, digest)
            _enable_cache(getattr(module, entry), digest)
            _loaded[digest] = module
    return getattr(module, entry)


def _called(source: str) -> str:
    """Hash of what ``source`` calls into: a change there rebuilds what was built on it.

    numba itself keys on its version and on the processor.
    """
    names: list[str] = []
    waiting = [source]
    while waiting:
        new = [name for name in dict.fromkeys(_IMPORT.findall(waiting.pop())) if name not in names]
        names += new
        waiting += [_module_text(name) for name in new]
    texts = (_module_text(name).encode() for name in sorted(names))
    return hashlib.sha256(b"".join(texts)).hexdigest()


@lru_cache
def _module_text(name: str) -> str:
    return Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")


def _import(source: str, digest: str) -> ModuleType:
    name = f"attns_kernel_{digest}"
    path = cache_dir() / f"{name}.py"
    _store_source(path, source)
    module = ModuleType(name)
    module.__file__ = str(path)
    # Executed from memory, never from the file: a damaged file cannot change what is computed.
    linecache.cache[str(path)] = (len(source), None, source.splitlines(True), str(path))
    sys.modules[name] = module
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module


def _store_source(path: Path, source: str) -> None:
    try:
        if path.is_file() and path.stat().st_size == len(source.encode()):
            return
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(source)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        _note(f"could not write {path.name}: {error.strerror or error}")


def _note(fault: str) -> None:
    if fault not in _faults:
        _faults.append(fault)


def is_trusted(folder: Path) -> bool:
    """Whether compiled code may be loaded from a folder: ours, and writable by nobody else.

    Loading compiled code runs it, so a folder that others can write to is not used.
    """
    if not hasattr(os, "getuid"):
        return True
    try:
        info = folder.stat()
    except OSError:
        return True  # does not exist yet: created by us, for us
    return info.st_uid in (os.getuid(), 0) and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _enable_cache(dispatcher: Any, digest: str) -> None:
    folder = cache_dir()
    if not is_trusted(folder):
        _note(f"{folder} can be written by others; compiled kernels are not kept there")
        return
    dispatcher._cache = _numba_cache(dispatcher.py_func, folder, digest)


def _numba_cache(function: Any, folder: Path, digest: str) -> Any:
    from numba.core.caching import CompileResultCacheImpl, FunctionCache

    class Locator:
        """Answers numba's questions about where to keep one function."""

        def ensure_cache_path(self) -> None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

        def get_cache_path(self) -> str:
            return str(folder)

        def get_source_stamp(self) -> str:
            return digest

        def get_disambiguator(self) -> str:
            return digest

        @classmethod
        def from_function(cls, py_func: Any, py_file: str) -> "Locator":
            return cls()

    class Implementation(CompileResultCacheImpl):
        _locator_classes = (Locator,)

    class KernelCache(FunctionCache):
        """numba's cache of one function that never fails: at worst it neither loads nor saves."""

        _impl_class = Implementation

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            try:
                return super().load_overload(sig, target_context)
            except Exception as error:
                # Truncated or foreign files raise almost anything when unpickled.
                _note(f"a stored kernel could not be read ({type(error).__name__}); it is compiled again")
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            try:
                super().save_overload(sig, data)
            except Exception:
                # Most likely an unreadable index, which would make every later save fail as well.
                try:
                    Path(self._cache_file._index_path).unlink(missing_ok=True)
                    super().save_overload(sig, data)
                except Exception as error:
                    _note(f"a compiled kernel could not be stored: {error}")

    return KernelCache(function)


@final
@dataclass(frozen=True, slots=True)
class CacheReport:
    """State of the kernel cache.

    Parameters
    ----------
    location : Path
    entries, size_bytes : int
        Compiled kernels stored, and the size of everything in the folder.
    writable, trusted : bool
    faults : tuple of str
        What went wrong with it in this process, if anything.
    """

    location: Path
    entries: int
    size_bytes: int
    writable: bool
    trusted: bool
    faults: tuple[str, ...]


def cache_report() -> CacheReport:
    """Look at the cache folder without changing it."""
    folder = cache_dir()
    entries = size = 0
    try:
        for file in folder.iterdir():
            try:
                size += file.stat().st_size
            except OSError:
                continue
            entries += file.suffix == ".nbc"
    except OSError:
        entries = size = 0
    parent = folder
    while not parent.exists() and parent != parent.parent:
        parent = parent.parent
    return CacheReport(folder, entries, size, os.access(parent, os.W_OK), is_trusted(folder), tuple(_faults))
