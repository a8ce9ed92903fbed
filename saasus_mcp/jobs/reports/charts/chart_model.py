"""What a chart shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """One amount of several, and what it is measured by."""

    name: str
    value: int
    limit: int | None = None

    @property
    def label(self) -> str:
        """The amount, with the limit and how much of it that is."""
        told = f"{self.value:,}"
        return f"{told} / {self.limit:,} ({100 * self.value / self.limit:.1f}%)" if self.limit else told


@dataclass(frozen=True, slots=True)
class BarPanel:
    """Amounts side by side."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """How an amount went: a value at each of the panel's times."""

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
    """A chart of one panel or more.

    Attributes:
        time: what the times are called.
        foot: what a reader must know, under it.
    """

    title: str
    panels: tuple[BarPanel | LinePanel, ...]
    time_label: str
    footer: str = ""
