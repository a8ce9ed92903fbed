"""A chart as a text of fixed width, in which East Asian letters are two columns wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from saasus_mcp.jobs.charts.model import Bars, Chart, Lines
from saasus_mcp.saasus.words import one_line, width

LONGEST = 30
BAR = 24
EIGHTHS = " ▏▎▍▌▋▊▉"


def cut(text: str, most: int = LONGEST) -> str:
    """A text on one line, in at most so many columns."""
    text = one_line(text)
    if width(text) <= most:
        return text
    kept = text
    while width(kept) > most - 1:
        kept = kept[:-1]
    return kept + "…"


def table(rows: Sequence[Sequence[str]], numbers: Sequence[bool]) -> Iterator[str]:
    """Rows with their columns under each other.

    Args:
        numbers: which columns are set to the right.
    """
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (_padded(cell, wide, right=right) for cell, wide, right in zip(row, widths, numbers, strict=True))
        yield "  ".join(cells).rstrip()


def written(chart: Chart) -> str:
    """The whole chart."""
    parts = [chart.title, *("\n".join(_panel(panel, chart)) for panel in chart.panels), chart.foot]
    return "\n\n".join(filter(None, parts))


def _panel(panel: Bars | Lines, chart: Chart) -> Iterator[str]:
    yield cut(panel.title, 78)
    if isinstance(panel, Lines):
        rows = [[chart.time, *(cut(line.name, 20) for line in panel.lines)]]
        values = zip(*(line.values for line in panel.lines), strict=True)
        rows += [[time, *(f"{value:,}" for value in each)] for time, each in zip(panel.times, values, strict=True)]
        yield from table(rows, [False, *(True for _ in panel.lines)])
    else:
        most = max((bar.value for bar in panel.bars), default=0)
        bars = [[cut(bar.name), _bar(bar.value, most), bar.told] for bar in panel.bars]
        yield from table(bars, [False, False, False]) if bars else ()


def _bar(value: int, most: int) -> str:
    eighths = round(value / most * BAR * 8) if most > 0 else 0
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def _padded(text: str, wide: int, *, right: bool) -> str:
    gap = " " * (wide - width(text))
    return gap + text if right else text + gap
