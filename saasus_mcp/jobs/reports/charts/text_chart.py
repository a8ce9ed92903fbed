"""A chart as text of fixed width, in which East Asian characters are two columns wide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from saasus_mcp.common.text import display_width, fold_name, one_line
from saasus_mcp.jobs.reports.charts.chart_model import BarPanel, Chart, LinePanel

MAX_WIDTH = 30
LINE_NAME_WIDTH = 20
"""Columns of the heading of a line's values."""
BAR_WIDTH = 24
SHORT_ID = 8
"""Characters of an id in a label, or more where these are alike."""
EIGHTH_BLOCKS = " ▏▎▍▌▋▊▉"


def truncate_text(text: str, limit: int = MAX_WIDTH) -> str:
    """Return a text on one line, at most `limit` columns wide."""
    text = one_line(text)
    if display_width(text) <= limit:
        return text
    while display_width(text) > limit - 1:
        text = text[:-1]
    return text + "…"


def unique_labels(names: Mapping[str, str], width: int = MAX_WIDTH) -> dict[str, str]:
    """Return a label for each id: its name, with the beginning of the id if another label would look like it.

    A name that is cut short looks like another one with the same beginning. A thing without a name has its id.

    Args:
        width: columns of a label at most.
    """
    shown = {id_: truncate_text(name, width) for id_, name in names.items()}
    counts = Counter(map(fold_name, shown.values()))
    alike = [id_ for id_, name in shown.items() if not name.strip() or counts[fold_name(name)] > 1]
    length = _distinct_length(alike)
    labels = dict(shown)
    for id_ in alike:
        suffix = f"({id_[:length]})"
        name = truncate_text(names[id_], max(width - len(suffix) - 1, 1)).strip()
        labels[id_] = f"{name} {suffix}" if name else suffix
    return labels


def _distinct_length(ids: list[str]) -> int:
    """Return how many characters tell the ids apart."""
    length = SHORT_ID
    while len({id_[:length] for id_ in ids}) < len(ids):
        length += 1
    return length


def format_table(rows: Sequence[Sequence[str]], right_aligned: Sequence[bool]) -> Iterator[str]:
    """Yield the rows with aligned columns."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        gaps = (" " * (width - display_width(cell)) for cell, width in zip(row, widths, strict=True))
        aligned = zip(row, gaps, right_aligned, strict=True)
        yield "  ".join(gap + cell if right else cell + gap for cell, gap, right in aligned).rstrip()


def render_text(chart: Chart) -> str:
    parts = [chart.title, *("\n".join(_render_panel(panel, chart)) for panel in chart.panels), chart.footer]
    return "\n\n".join(filter(None, parts))


def _render_panel(panel: BarPanel | LinePanel, chart: Chart) -> Iterator[str]:
    yield truncate_text(panel.title, 78)
    if isinstance(panel, LinePanel):
        rows = [[chart.time_label, *(truncate_text(line.name, LINE_NAME_WIDTH) for line in panel.lines)]]
        values = zip(*(line.values for line in panel.lines), strict=True)
        rows += [[time, *(f"{value:,}" for value in each)] for time, each in zip(panel.times, values, strict=True)]
        yield from format_table(rows, [False, *(True for _ in panel.lines)])
    else:
        highest = max((bar.value for bar in panel.bars), default=0)
        bars = [[truncate_text(bar.name), _draw_bar(bar.value, highest), bar.label] for bar in panel.bars]
        yield from format_table(bars, [False, False, False]) if bars else ()


def _draw_bar(value: int, highest: int) -> str:
    eighths = round(value / highest * BAR_WIDTH * 8) if highest > 0 else 0
    return "█" * (eighths // 8) + EIGHTH_BLOCKS[eighths % 8].strip()
