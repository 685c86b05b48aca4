"""Judgements: is the new run better or worse than the old one, in time, accuracy and stability?

A difference counts only if it is larger than a tolerance *and* an interval over the raw values
excludes equality. For times the ratio of medians, its bootstrap interval and the ratio of minima
must all agree; where both sides have it, processor time is compared instead of time on the clock
(:mod:`attns_harness.timing`). A machine that was busy during one of the two runs is the usual reason
for a difference, and can hide one as well; so where a benchmark can be run again, everything whose
stored timings do not show that nothing changed is measured again, both sides alternating, until the
interval decides or patience ends, and only these timings count. Keys that only one side has are
reported as missing, never dropped.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, final

from attns_harness.analysis.intervals import Interval, ratio_interval, wilson
from attns_harness.analysis.trial import BenchmarkGroup, Key, Trial

Verdict = Literal["improvement", "regression", "invariant", "missing"]
Aspect = Literal["time", "accuracy", "stability"]

Rerun: TypeAlias = Callable[[Key], Sequence[Trial]]
"""``rerun(key)`` -> new trials of the new and of the old side, taken alternately."""

PATIENCE = 4
"""Times that a benchmark is measured again before it counts as too noisy to tell."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much change is none.

    Parameters
    ----------
    time : float
        Ratio of times; 0.05 is 5 %, both ways on a logarithmic scale.
    accuracy : float
        Ratio of errors, as above.
    stability : float
        Difference of diverged fractions.
    """

    time: float = 0.05
    accuracy: float = 0.10
    stability: float = 0.01


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One verdict with its evidence.

    Parameters
    ----------
    key : tuple of str
    aspect : {"time", "accuracy", "stability"}
    verdict : {"improvement", "regression", "invariant", "missing"}
    new, old : float or None
        Seconds (minimum; of processor time where the remark says so), error, or diverged fraction.
    ratio : Interval or None
        New over old; for stability the difference.
    remark : str
    """

    key: Key
    aspect: Aspect
    verdict: Verdict
    new: float | None = None
    old: float | None = None
    ratio: Interval | None = None
    remark: str = ""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What is judged under one key besides its timings.

    Parameters
    ----------
    errors : mapping of float to float
        Seed -> error; not finite where there is none.
    uncertainty : float
        Of the reference: errors below it are equal.
    diverged, trajectories : int
        Counts over all seeds.
    state : str
        ``ok``, ``diverged`` or the failure that ended a cell.
    """

    errors: Mapping[float, float] = field(default_factory=dict)
    uncertainty: float = 0.0
    diverged: int = 0
    trajectories: int = 0
    state: str = "ok"


@final
@dataclass(frozen=True, eq=False)
class Side:
    """One of the two runs.

    Parameters
    ----------
    times : BenchmarkGroup
    measured : mapping of tuple of str to Measured
    machines : sequence of mapping
        What the times were taken on, as provenance tells it; empty where that is unknown.
    """

    times: BenchmarkGroup = field(default_factory=lambda: BenchmarkGroup({}))
    measured: Mapping[Key, Measured] = field(default_factory=dict)
    machines: Sequence[Mapping[str, Any]] = ()


def judge(new: Side, old: Side, tolerance: Tolerance | None = None, *, rerun: Rerun | None = None) -> list[Judgement]:
    """Judge every key of both sides.

    Parameters
    ----------
    rerun : callable, optional
        Measures a key again whose stored timings leave room for a change; without it a time is called
        a regression on the stored timings alone, and the remark says so.
    """
    allowed = tolerance or Tolerance()
    found: list[Judgement] = []
    for key in _union(new.times, old.times):
        if key in new.times and key in old.times:
            found.append(_decided(key, new.times[key], old.times[key], allowed.time, rerun))
        else:
            found.append(_missing(key, "time", key in new.times))
    for key in _union(new.measured, old.measured):
        if key in new.measured and key in old.measured:
            a, b = new.measured[key], old.measured[key]
            found += [judge_stability(key, a, b, allowed.stability), *judge_accuracy(key, a, b, allowed.accuracy)]
        else:
            found.append(_missing(key, "stability", key in new.measured))
    return found


def judge_time(key: Key, new: Trial, old: Trial, tolerance: float) -> Judgement:
    """Times of one benchmark: medians, their bootstrap interval, and minima must agree on a difference."""
    a, b, kind = _comparable(new, old)
    interval = ratio_interval(a, b, level=0.99)
    least = min(a) / min(b)
    band, half = math.log1p(tolerance), math.log1p(tolerance) / 2
    verdict: Verdict = "invariant"
    remark = "" if interval.low is not None else "one timing only: no test is possible"
    if interval.low is not None and interval.high is not None:
        if math.log(interval.value) > band and interval.low > 1 and math.log(least) > half:
            verdict = "regression"
        elif math.log(interval.value) < -band and interval.high < 1 and math.log(least) < -half:
            verdict = "improvement"
    return Judgement(
        key=key, aspect="time", verdict=verdict, new=min(a), old=min(b), ratio=interval,
        remark=remark or kind,
    )  # fmt: skip


def _comparable(new: Trial, old: Trial) -> tuple[Sequence[float], Sequence[float], str]:
    """The values to compare, of one kind on both sides."""
    if new.processor and old.processor:
        return new.processor, old.processor, "processor time"
    return new.samples, old.samples, ""


def judge_accuracy(key: Key, new: Measured, old: Measured, tolerance: float) -> list[Judgement]:
    """Errors of one key, the reference's uncertainty being the smallest that counts; empty without errors."""
    from attns_harness.analysis.intervals import geometric_interval

    floor = max(new.uncertainty, old.uncertainty, 1e-300)
    pairs = [
        (max(new.errors[seed], floor), max(old.errors[seed], floor))
        for seed in sorted(set(new.errors) & set(old.errors))
        if math.isfinite(new.errors[seed]) and math.isfinite(old.errors[seed])
    ]
    if not pairs:
        return []
    # The same seeds give the same initial states on both sides, so the ratio is taken pair by pair.
    ratio = geometric_interval([a / b for a, b in pairs])
    change, band = math.log(ratio.value), math.log1p(tolerance)
    sure = ratio.low is None or ratio.high is None or ratio.low > 1 or ratio.high < 1
    verdict: Verdict = "invariant"
    if abs(change) > band and sure:
        verdict = "regression" if change > 0 else "improvement"
    mean = [math.exp(sum(math.log(v) for v in side) / len(pairs)) for side in zip(*pairs, strict=True)]
    remark = "one seed: no interval" if ratio.low is None else ""
    return [
        Judgement(key=key, aspect="accuracy", verdict=verdict, new=mean[0], old=mean[1], ratio=ratio, remark=remark)
    ]


def judge_stability(key: Key, new: Measured, old: Measured, tolerance: float) -> Judgement:
    """Diverged fractions, by Fisher's exact test; a cell that failed on one side only decides alone."""
    from scipy import stats

    solved = ("ok", "diverged")
    if (new.state in solved) != (old.state in solved):
        verdict: Verdict = "improvement" if new.state in solved else "regression"
        return Judgement(key=key, aspect="stability", verdict=verdict, remark=f"{old.state} before, {new.state} now")
    if not (new.trajectories and old.trajectories):
        return Judgement(key=key, aspect="stability", verdict="invariant", remark=f"{new.state} on both sides")
    a, b = wilson(new.diverged, new.trajectories), wilson(old.diverged, old.trajectories)
    counts = [[new.diverged, new.trajectories - new.diverged], [old.diverged, old.trajectories - old.diverged]]
    outcome: Any = stats.fisher_exact(counts)
    p_value = float(outcome.pvalue)
    change = a.value - b.value
    verdict = "invariant"
    if abs(change) > tolerance and p_value < 0.01:
        verdict = "regression" if change > 0 else "improvement"
    return Judgement(
        key=key, aspect="stability", verdict=verdict, new=a.value, old=b.value,
        ratio=Interval(change, None, None, a.n), remark=f"p = {p_value:.2g}" if change else "",
    )  # fmt: skip


def _decided(key: Key, new: Trial, old: Trial, tolerance: float, rerun: Rerun | None) -> Judgement:
    first = judge_time(key, new, old, tolerance)
    if rerun is None:
        stored = f"from stored timings, not measured again{f' ({first.remark})' if first.remark else ''}"
        return replace(first, remark=stored) if first.verdict == "regression" else first
    if _unchanged(new, old, tolerance):
        return first
    new, old = rerun(key)
    for _ in range(PATIENCE - 1):
        if _clear(judge_time(key, new, old, tolerance), tolerance):
            break
        new, old = (side.join(more) for side, more in zip((new, old), rerun(key), strict=True))
    second = judge_time(key, new, old, tolerance)
    parts = ["measured again, alternately", second.remark]
    if not _clear(second, tolerance):
        parts.append("too noisy to tell")
    elif second.verdict != first.verdict:
        parts.append(f"{first.verdict} by the stored timings")
    return replace(second, remark="; ".join(p for p in parts if p))


def _unchanged(new: Trial, old: Trial, tolerance: float) -> bool:
    """Whether the stored timings show that nothing changed by more than half the tolerance, in any estimate."""
    a, b, _ = _comparable(new, old)
    interval = ratio_interval(a, b, level=0.99)
    ratios = [interval.low, interval.high, min(a) / min(b), new.estimate("minimum") / old.estimate("minimum")]
    return all(r is not None and abs(math.log(r)) <= math.log1p(tolerance) / 2 for r in ratios)


def _clear(found: Judgement, tolerance: float) -> bool:
    """Whether more timings would not change the verdict: the interval excludes a change, or the lack of one."""
    if found.verdict != "invariant" or found.ratio is None or found.ratio.low is None or found.ratio.high is None:
        return found.verdict != "invariant"
    return found.ratio.high < 1 + tolerance and found.ratio.low > 1 / (1 + tolerance)


def _union(a: Mapping[Key, object] | BenchmarkGroup, b: Mapping[Key, object] | BenchmarkGroup) -> list[Key]:
    return sorted({*a, *b})


def _missing(key: Key, aspect: Aspect, only_new: bool) -> Judgement:
    where = "only in the new run" if only_new else "only in the old run"
    return Judgement(key=key, aspect=aspect, verdict="missing", remark=where)
