"""Provenance: what a result rests on besides the matrix: software, machine, commit, load."""

import importlib.util
import os
import platform
import re
import socket
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from attns_core.identity import content_hash
from attns_core.registry import Registry

PACKAGES = ("attns", "numpy", "numba", "llvmlite", "scipy", "torch", "heyoka", "sympy", "pandas", "pebble", "pyperf")


def environment(registry: Registry, *, threads: int) -> dict[str, Any]:
    """Facts that may change numbers or times and stay the same from run to run on one machine."""
    return {
        "attns": _version("attns"),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "plugins": {r.name: r.origin if r.distribution else Path(r.source).name for r in registry.plugins if r.ok},
        "machine": machine(),
        "cuda": _cuda(),
        "threads": threads,
        "blas": _blas(),
        **git_state(),
    }


def environment_id(facts: Mapping[str, Any]) -> str:
    """Short name of an environment, as stored with every row."""
    return content_hash(dict(facts), 12)


def machine() -> dict[str, Any]:
    """The hardware and operating system, as far as timings depend on them."""
    model, flags = _cpu()
    return {
        "cpu": model,
        "cpu_flags": list(flags),
        "simd": [f for f in ("sse4_2", "avx", "avx2", "fma", "avx512f", "asimd", "sve") if f in flags],
        "cores": psutil.cpu_count(logical=False) or 0,
        "logical_cores": psutil.cpu_count() or 0,
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "gpu": _gpu(),
    }


def run_facts(registry: Registry, *, threads: int) -> dict[str, Any]:
    """Everything of :func:`environment`, and what holds for this run alone."""
    one, five, fifteen = os.getloadavg()
    return {
        **environment(registry, threads=threads),
        "host": socket.gethostname(),
        "load": [one, five, fifteen],
        "plugin_files": [r.source for r in registry.plugins if not r.distribution],
        "broken_plugins": {r.name: r.error for r in registry.plugins if not r.ok},
    }


GPU_COLUMNS = ("device", "gpu", "driver", "cuda", "torch")
"""Columns of rows that a GPU computed."""

TIMED_ON = ("cpu", "cpu_flags", "cores", "logical_cores", "architecture", "gpu")
"""What must be equal in two machines before times taken on them are compared."""


def unlike(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """In what two machines, as :func:`machine` tells them, differ as far as times depend on it; empty if in nothing."""
    return [
        name if name == "cpu_flags" else f"{name} {a.get(name)!r} against {b.get(name)!r}"
        for name in TIMED_ON
        if _comparable(name, a.get(name)) != _comparable(name, b.get(name))
    ]


def _comparable(name: str, value: Any) -> Any:
    if name == "gpu" and value:
        # Name and driver: a new driver makes no other machine.
        return [line.partition(",")[0] for line in str(value).splitlines()]
    # Early journals have the hash of the flags alone.
    return content_hash(tuple(value), 12) if name == "cpu_flags" and isinstance(value, list) else value


@cache
def git_state() -> dict[str, Any]:
    """Commit of the source tree that runs, and whether it was changed since; None outside a checkout."""
    here = Path(__file__).resolve().parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    # Tracked sources only: results and scratch files lying about change no number.
    changed = git("status", "--porcelain", "--untracked-files=no") if commit else None
    return {"git_commit": commit, "git_dirty": None if changed is None else bool(changed)}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@cache
def _cpu() -> tuple[str, tuple[str, ...]]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor(), ()
    model = re.search(r"^(?:model name|Processor)\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    return (model[1].strip() if model else platform.processor()), tuple(sorted(flags[1].split())) if flags else ()


@cache
def _gpu() -> str | None:
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


@cache
def _cuda() -> str | None:
    """The CUDA version that torch was built for, without importing torch; None for a CPU build."""
    spec = importlib.util.find_spec("torch")
    file = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    if file is None or not file.is_file():
        return None
    found = re.search(r"^cuda\b[^=]*=\s*['\"]([^'\"]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else None


def _blas() -> list[str]:
    """The BLAS libraries in use and the kernels they chose; SciPy's own is loaded for that."""
    import scipy.linalg  # noqa: F401  # pyright: ignore[reportUnusedImport]
    from threadpoolctl import threadpool_info

    # OpenMP runtimes come and go with what else is loaded, and are no BLAS.
    used = [i for i in threadpool_info() if i["user_api"] == "blas"]
    return sorted({" ".join(str(i.get(k) or "") for k in ("internal_api", "version", "architecture")) for i in used})
