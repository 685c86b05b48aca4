"""Provenance: what a result rests on besides the matrix: software, machine, commit, load."""

import os
import platform
import re
import socket
import subprocess
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
        "threads": threads,
        "blas": _blas(),
        **git_state(),
    }


def environment_id(facts: dict[str, Any]) -> str:
    """Short name of an environment, as stored with every row."""
    return content_hash(facts, 12)


def machine() -> dict[str, Any]:
    """The hardware and operating system, as far as timings depend on them."""
    model, flags = _cpu()
    return {
        "cpu": model,
        "cpu_flags": content_hash(flags, 12),
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


def _blas() -> list[str]:
    from threadpoolctl import threadpool_info

    found = {f"{i['internal_api']} {i.get('version') or ''}".strip() for i in threadpool_info()}
    return sorted(found)
