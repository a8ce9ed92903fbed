"""A chart as a text of fixed width, in which East Asian letters are two columns wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from saasus_mcp.common.text import display_width, one_line
from saasus_mcp.jobs.reports.charts.chart_model import BarPanel, Chart, LinePanel

MAX_WIDTH = 30
BAR_WIDTH = 24
EIGHTH_BLOCKS = " ▏▎▍▌▋▊▉"


def truncate_text(text: str, most: int = MAX_WIDTH) -> str:
    """A text on one line, in at most so many columns."""
    text = one_line(text)
    if display_width(text) <= most:
        return text
    kept = text
    while display_width(kept) > most - 1:
        kept = kept[:-1]
    return kept + "…"


def format_table(rows: Sequence[Sequence[str]], numbers: Sequence[bool]) -> Iterator[str]:
    """Rows with their columns under each other.

    Args:
        numbers: which columns are set to the right.
    """
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (_padded(cell, wide, right=right) for cell, wide, right in zip(row, widths, numbers, strict=True))
        yield "  ".join(cells).rstrip()


def render_text(chart: Chart) -> str:
    """The whole chart."""
    parts = [chart.title, *("\n".join(_panel(panel, chart)) for panel in chart.panels), chart.footer]
    return "\n\n".join(filter(None, parts))


def _panel(panel: BarPanel | LinePanel, chart: Chart) -> Iterator[str]:
    yield truncate_text(panel.title, 78)
    if isinstance(panel, LinePanel):
        rows = [[chart.time_label, *(truncate_text(line.name, 20) for line in panel.lines)]]
        values = zip(*(line.values for line in panel.lines), strict=True)
        rows += [[time, *(f"{value:,}" for value in each)] for time, each in zip(panel.times, values, strict=True)]
        yield from format_table(rows, [False, *(True for _ in panel.lines)])
    else:
        most = max((bar.value for bar in panel.bars), default=0)
        bars = [[truncate_text(bar.name), _bar(bar.value, most), bar.label] for bar in panel.bars]
        yield from format_table(bars, [False, False, False]) if bars else ()


def _bar(value: int, most: int) -> str:
    eighths = round(value / most * BAR_WIDTH * 8) if most > 0 else 0
    return "█" * (eighths // 8) + EIGHTH_BLOCKS[eighths % 8].strip()


def _padded(text: str, wide: int, *, right: bool) -> str:
    gap = " " * (wide - display_width(text))
    return gap + text if right else text + gap
