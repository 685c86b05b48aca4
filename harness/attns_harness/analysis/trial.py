"""Trials, estimates and benchmark groups: the words of BenchmarkTools, with all samples kept."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, final

import numpy as np

from attns_core import AttnsError

FORMAT = 1
Estimator = Literal["minimum", "median", "mean"]
Key = tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Trial:
    """Raw timings of one benchmark, in seconds per call, in the order in which they were taken.

    Machine noise only ever adds time, so the distribution is skewed to the right: the minimum is a
    robust estimate of the location, the median resists outliers, the mean is biased upwards.

    Parameters
    ----------
    samples : tuple of float
        On the clock.
    cpu : tuple of float
        Processor seconds of the samples that computed without a break on one thread (see
        :mod:`attns_harness.timing`).
    """

    samples: tuple[float, ...]
    cpu: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.samples or not all(np.isfinite(s) and s > 0 for s in (*self.samples, *self.cpu)):
            raise AttnsError(f"a trial needs positive finite timings, got {list(self.samples)[:5]}")

    @classmethod
    def of(cls, timing: Mapping[str, Any]) -> "Trial":
        """From what :func:`attns_harness.timing.sample` returns."""
        return cls(*(tuple(float(v) for v in timing.get(name, ())) for name in ("values", "cpu")))

    def join(self, other: "Trial") -> "Trial":
        """Both one after the other."""
        return Trial(self.samples + other.samples, self.cpu + other.cpu)

    @property
    def processor(self) -> tuple[float, ...]:
        """Processor seconds, if the solve is one that computes on one thread: a quarter of its samples say so."""
        return self.cpu if 4 * len(self.cpu) >= len(self.samples) else ()

    def estimate(self, kind: Estimator = "minimum") -> float:
        """Seconds per call."""
        functions = {"minimum": np.min, "median": np.median, "mean": np.mean}
        return float(functions[kind](self.samples))

    @property
    def spread(self) -> float:
        """Median absolute deviation over the median: how noisy the machine was."""
        median = self.estimate("median")
        return float(np.median(np.abs(np.asarray(self.samples) - median))) / median


@final
@dataclass(frozen=True, eq=False)
class BenchmarkGroup:
    """Trials under keys, with tags; the keys' own parts count as tags.

    Parameters
    ----------
    trials : mapping of tuple of str to Trial
    tags : mapping of tuple of str to frozenset of str
    """

    trials: Mapping[Key, Trial]
    tags: Mapping[Key, frozenset[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[Key]:
        return iter(self.trials)

    def __getitem__(self, key: Key) -> Trial:
        return self.trials[key]

    def tagged(self, *tags: str, without: Iterable[str] = ()) -> "BenchmarkGroup":
        """Benchmarks that carry all ``tags`` and none of ``without``."""
        wanted, unwanted = set(tags), set(without)

        def of(key: Key) -> set[str]:
            return set(key) | self.tags.get(key, frozenset())

        return self.only(key for key in self if wanted <= of(key) and not unwanted & of(key))

    def only(self, keys: Iterable[Key]) -> "BenchmarkGroup":
        """The benchmarks of the given keys, for example those a judgement flagged."""
        chosen = [key for key in keys if key in self.trials]
        return BenchmarkGroup({k: self.trials[k] for k in chosen}, {k: self.tags[k] for k in chosen if k in self.tags})

    def estimates(self, kind: Estimator = "minimum") -> dict[Key, float]:
        """Seconds per call under every key."""
        return {key: trial.estimate(kind) for key, trial in self.trials.items()}

    def save(self, path: Path) -> None:
        """Write as JSON."""
        content = {
            "format": FORMAT,
            "trials": [
                {"key": list(k), "samples": list(t.samples), "cpu": list(t.cpu), "tags": sorted(self.tags.get(k, ()))}
                for k, t in self.trials.items()
            ],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "BenchmarkGroup":
        """Read what :meth:`save` wrote.

        Raises
        ------
        AttnsError
            If the file is not that.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise AttnsError(f"{path}: format {content['format']!r}, this version reads {FORMAT}")
            entries = [
                (tuple(e["key"]), Trial(tuple(e["samples"]), tuple(e.get("cpu", ()))), frozenset(e["tags"]))
                for e in content["trials"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise AttnsError(f"{path} is not a saved benchmark group: {error}") from error
        return cls({k: t for k, t, _ in entries}, {k: tags for k, _, tags in entries})

    @classmethod
    def of(cls, samples: Mapping[Key, Sequence[float]]) -> "BenchmarkGroup":
        """From raw timings."""
        return cls({key: Trial(tuple(float(s) for s in values)) for key, values in samples.items()})
