"""The content of a chart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """An amount, and the limit that it is compared with."""

    name: str
    value: int
    limit: int | None = None

    @property
    def label(self) -> str:
        """The amount, with the limit and the percentage."""
        text = f"{self.value:,}"
        return f"{text} / {self.limit:,} ({100 * self.value / self.limit:.1f}%)" if self.limit else text


@dataclass(frozen=True, slots=True)
class BarPanel:
    """Amounts side by side."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """An amount over time, with a value at each time of the panel."""

    name: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LinePanel:
    """Amounts over time."""

    title: str
    times: tuple[str, ...]
    lines: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of one panel or more. `time_label` is the heading of the times."""

    title: str
    panels: tuple[BarPanel | LinePanel, ...]
    time_label: str
    footer: str = ""
