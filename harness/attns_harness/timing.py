"""Timing: raw values of a prepared solve, sampled to a precision or a budget, and pyperf's view of them.

What is reported is time on the clock. Beside it stands the processor time of those values during which
the solve computed without a break, on one thread: what the clock would have shown had the machine done
nothing else. Comparisons of two runs use it where both have it, because another program that is given
the processor for a while lengthens the one and not the other.
"""

import gc
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pyperf

from attns_harness.matrix import Timing

MIN_VALUE_S = 1e-3
"""A raw value is at least this long, made up of several calls where one is shorter (as pyperf asks)."""

COLUMNS = ("time_min_s", "time_median_s", "time_iqr_s", "time_samples", "unstable", "first_call_s")


def sample(call: Callable[[], Any], timing: Timing) -> dict[str, Any]:
    """Time a call that has run once already.

    Returns
    -------
    dict
        ``values`` in seconds per call, ``loops`` calls per value, ``warmups`` (discarded), ``cpu``
        (processor seconds per call of the values without a break; none of a solve that waits or uses
        several threads), and the columns made of the values.
    """
    # The youngest generation only: a full collection takes longer than most cells.
    gc.collect(0)
    gc.disable()
    try:
        return _sample(call, timing)
    finally:
        gc.enable()


def _sample(call: Callable[[], Any], timing: Timing) -> dict[str, Any]:
    warmups = [_timed(call, 1)]
    loops = max(1, round(MIN_VALUE_S / max(warmups[0], 1e-9) + 0.5))
    if loops > 1:
        warmups.append(_timed(call, loops))
        # The first call after a pause is slow: what follows needs more calls per value.
        loops = max(loops, round(loops * MIN_VALUE_S / warmups[-1] + 0.5))
    values: list[float] = []
    cpu: list[float] = []
    deadline = time.perf_counter() + timing.budget_s
    while len(values) < timing.max_samples:
        before = _Usage.now()
        values.append(_timed(call, loops) / loops)
        busy = _Usage.now().unbroken_since(before)
        cpu += [] if busy is None else [busy / loops]
        if len(values) < timing.min_samples:
            continue
        if time.perf_counter() > deadline or _precise(values, timing.precision):
            break
    return {"values": values, "cpu": cpu, "loops": loops, "warmups": warmups, **summarise(values, timing.unstable)}


@final
@dataclass(frozen=True, slots=True)
class _Usage:
    """What this thread and this process have used so far: processor seconds, and breaks the thread made itself."""

    thread: float
    process: float
    breaks: int

    @classmethod
    def now(cls) -> "_Usage":
        breaks = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        return cls(time.thread_time(), time.process_time(), breaks)

    def unbroken_since(self, before: "_Usage") -> float | None:
        """Processor seconds in between; None if the thread waited for anything, or other threads worked."""
        seconds = self.thread - before.thread
        alone = self.process - before.process <= 1.01 * seconds
        return seconds if seconds > 0 and alone and self.breaks == before.breaks else None


def merged(earlier: Mapping[str, Any] | None, new: Mapping[str, Any], unstable: float) -> dict[str, Any]:
    """Timings of one cell from several passes as one: all raw values, and the columns made of them."""
    if earlier is None or "values" not in earlier:
        return {**new, "rounds": 1}
    values = [*earlier["values"], *new["values"]]
    kept = {
        "values": values,
        "cpu": [*earlier.get("cpu", ()), *new["cpu"]],
        "warmups": [*earlier["warmups"], *new["warmups"]],
    }
    return {**new, **kept, **summarise(values, unstable), "rounds": int(earlier.get("rounds", 1)) + 1}


def summarise(values: list[float], unstable: float) -> dict[str, Any]:
    """Minimum, median, spread; ``unstable`` when the interquartile range is too wide for a claim."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {
        "time_min_s": min(values),
        "time_median_s": middle,
        "time_iqr_s": high - low,
        "time_samples": len(values),
        "unstable": high - low > unstable * middle,
    }


def write_pyperf(path: Path, rows: Iterable[tuple[str, Mapping[str, Any]]], metadata: Mapping[str, str]) -> int:
    """Save raw timings as pyperf JSON, one benchmark per cell; returns how many.

    ``pyperf show``, ``check``, ``stats`` and ``compare_to`` read the file.
    """
    benchmarks = []
    for name, timing in rows:
        loops = int(timing["loops"])
        warmups = [(loops if i else 1, s) for i, s in enumerate(timing["warmups"])]
        run = pyperf.Run(
            timing["values"],
            warmups=[(n, s / n) for n, s in warmups],
            metadata={**metadata, "name": name, "loops": loops, "unit": "second"},
            collect_metadata=False,
        )
        benchmarks.append(pyperf.Benchmark([run]))
    if benchmarks:
        scratch = path.with_name(f".{path.name}.new")
        pyperf.BenchmarkSuite(benchmarks).dump(str(scratch), replace=True)
        scratch.replace(path)
    return len(benchmarks)


def _timed(call: Callable[[], Any], loops: int) -> float:
    start = time.perf_counter()
    for _ in range(loops):
        call()
    return time.perf_counter() - start


def _precise(values: list[float], precision: float) -> bool:
    error = statistics.stdev(values) / len(values) ** 0.5
    return error < precision * statistics.median(values)
