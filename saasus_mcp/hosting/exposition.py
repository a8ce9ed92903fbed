"""Numbers in the text format that Prometheus reads (version 0.0.4). No more of it than is used here."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[str, ...]
Shown = Callable[[Mapping[str, str]], bool]
"""Whether a sample with these labels is shown."""


def everything(_: Mapping[str, str]) -> bool:
    """Every sample is."""
    return True


class Counter:
    """How often something happened, by labels."""

    def __init__(self, name: str, help: str, labels: Labels) -> None:
        self.name, self._help, self._labels = name, help, labels
        self._counts: defaultdict[Labels, int] = defaultdict(int)

    def count(self, *values: str) -> None:
        """Once more."""
        self._counts[values] += 1

    def lines(self, shown: Shown = everything) -> Iterator[str]:
        """As Prometheus reads it."""
        samples = ((dict(zip(self._labels, values, strict=True)), count) for values, count in self._counts.items())
        return series(self.name, "counter", self._help, (each for each in samples if shown(each[0])))


class Histogram:
    """How long something took, by labels: how often at most so many seconds."""

    def __init__(self, name: str, help: str, labels: Labels, bounds: Sequence[float]) -> None:
        self.name, self._help, self._labels, self._bounds = name, help, labels, bounds
        self._counts: dict[Labels, list[int]] = {}
        self._sums: defaultdict[Labels, float] = defaultdict(float)

    def observe(self, seconds: float, *values: str) -> None:
        """Once more, and it took so long."""
        counts = self._counts.setdefault(values, [0] * (len(self._bounds) + 1))
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[values] += seconds

    def lines(self, shown: Shown = everything) -> Iterator[str]:
        """As Prometheus reads it: each bucket counts what is in the smaller ones too."""
        yield from _head(self.name, "histogram", self._help)
        for values, counts in self._counts.items():
            labels, total = dict(zip(self._labels, values, strict=True)), 0
            if not shown(labels):
                continue
            for bound, count in zip((*map(str, self._bounds), "+Inf"), counts, strict=True):
                total += count
                yield _sample(f"{self.name}_bucket", {**labels, "le": bound}, total)
            yield _sample(f"{self.name}_sum", labels, round(self._sums[values], 6))
            yield _sample(f"{self.name}_count", labels, total)


def series(name: str, kind: str, help: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    """One metric with its samples."""
    yield from _head(name, kind, help)
    for labels, value in samples:
        yield _sample(name, labels, value)


def _head(name: str, kind: str, help: str) -> Iterator[str]:
    yield f"# HELP {name} {help}"
    yield f"# TYPE {name} {kind}"


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    escaped = (f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{','.join(escaped)}}} {value:g}" if labels else f"{name} {value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
