"""A chart as a PNG, by matplotlib: dark on a light card, readable on light and dark pages."""

from __future__ import annotations

import io
from base64 import b64encode
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from saasus_mcp.common import working_directory

with working_directory.outside_working_directory():  # matplotlib reads the matplotlibrc of the working directory
    import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib_fontja import get_font_ttf_path

from saasus_mcp.jobs.reports.charts.chart_model import BarPanel, Chart, LinePanel
from saasus_mcp.jobs.reports.charts.text_chart import truncate_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FALLBACK_FONT = Path(__file__).with_name("fonts") / "chart_fallback.otf"
FONT_FAMILIES = ("IPAexGothic", "DejaVu Sans", "Chart Fallback")
"""Japanese and Latin characters come from the first font, others from the second, which comes with matplotlib, and Korean and
rarer Chinese characters in names from the last one (scripts/chart_font.py)."""
BACKGROUND, TEXT_COLOUR, GRID_COLOUR = "#fbfbf8", "#22252a", "#c9ccd1"
SERIES_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#6b5b95", "#7f7f7f")
"""Distinguishable with red-green colour blindness, too (after Okabe and Ito)."""
OVER_LIMIT_COLOUR = SERIES_COLOURS[1]
MARKERS = "osD^vPX*"
WIDTH_INCHES, DPI = 9.0, 110
MIN_BAR_SLOTS = 2
"""Bars that a panel has room for: a single bar would look like a block."""
AXIS_CHARACTERS = 84
"""Characters that fit below the time axis of a panel."""
VARIATION_SELECTORS = frozenset((*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
"""They choose a form of the character before them, which is drawn in its usual form instead."""
MAX_SUBSTITUTED, KEPT_END = 60, 14
"""Characters of a text with code points. Of a longer one, the beginning and the end are shown."""

_lock = Lock()
fontManager.addfont(get_font_ttf_path())
fontManager.addfont(FALLBACK_FONT)
mpl.rcParams.update(
    {
        "font.family": list(FONT_FAMILIES),
        "text.parse_math": False,  # a name with dollar signs is a name
        "axes.unicode_minus": False,
        "text.color": TEXT_COLOUR,
        "axes.labelcolor": TEXT_COLOUR,
        "xtick.color": TEXT_COLOUR,
        "ytick.color": TEXT_COLOUR,
        "axes.edgecolor": GRID_COLOUR,
    }
)


def render_png(chart: Chart) -> tuple[str, list[str]]:
    """Return the picture in base64, and the characters that no font has."""
    with _lock:  # matplotlib is not thread-safe
        glyphs = _GlyphFilter()
        heights = [_height(panel) for panel in chart.panels] or [1.0]
        size = (WIDTH_INCHES, sum(heights) + 0.9)
        figure = Figure(figsize=size, dpi=DPI, facecolor=BACKGROUND, edgecolor=GRID_COLOUR, linewidth=2)
        figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
        figure.suptitle(glyphs(chart.title), fontsize=14, x=0.015, ha="left")
        grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
        for axes, panel in zip(grid[:, 0], chart.panels, strict=False):
            axes.set_facecolor(BACKGROUND)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_title(glyphs(truncate_text(panel.title, 78)), loc="left", fontsize=11)
            if isinstance(panel, BarPanel):
                _draw_bars(axes, panel, glyphs)
            else:
                _draw_lines(axes, panel, glyphs)
        if chart.footer:
            figure.supxlabel(glyphs(chart.footer), fontsize=8.5, x=0.015, ha="left")
        buffer = io.BytesIO()
        FigureCanvasAgg(figure)
        figure.savefig(buffer, format="png", edgecolor=GRID_COLOUR)
        return b64encode(buffer.getvalue()).decode(), glyphs.missing


def _height(panel: BarPanel | LinePanel) -> float:
    return 0.7 + 0.34 * max(len(panel.bars), MIN_BAR_SLOTS) if isinstance(panel, BarPanel) else 2.7


def _draw_bars(axes: Axes, panel: BarPanel, glyphs: _GlyphFilter) -> None:
    rows = range(len(panel.bars))
    highest = max((bar.value for bar in panel.bars), default=0) or 1
    colours = [OVER_LIMIT_COLOUR if bar.limit and bar.value > bar.limit else SERIES_COLOURS[0] for bar in panel.bars]
    axes.barh(rows, [bar.value for bar in panel.bars], height=0.62, color=colours)
    axes.set_yticks(rows, [glyphs(truncate_text(bar.name)) for bar in panel.bars])
    axes.set_ylim(max(len(panel.bars), MIN_BAR_SLOTS) - 0.5, -0.5)
    for row, bar in enumerate(panel.bars):
        axes.annotate(bar.label, (bar.value, row), xytext=(5, 0), textcoords="offset points", va="center")
        if bar.limit and bar.limit <= bar.value:
            axes.plot([bar.limit, bar.limit], [row - 0.42, row + 0.42], color=TEXT_COLOUR, linewidth=2)
    axes.set_xlim(0, highest * 1.35)
    _format_numbers(axes.xaxis)


def _draw_lines(axes: Axes, panel: LinePanel, glyphs: _GlyphFilter) -> None:
    for number, line in enumerate(panel.lines):
        axes.plot(
            range(len(panel.times)),
            line.values,
            label=glyphs(truncate_text(line.name)),
            color=SERIES_COLOURS[number % len(SERIES_COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            linewidth=1.8,
        )
    fitting_labels = AXIS_CHARACTERS // (max(map(len, panel.times)) + 2)
    shown = range(0, len(panel.times), -(-len(panel.times) // fitting_labels))
    axes.set_xticks(shown, [panel.times[each] for each in shown], fontsize=9)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=GRID_COLOUR, linewidth=0.6)
    _format_numbers(axes.yaxis)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)


def _format_numbers(axis: Any) -> None:
    axis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


class _GlyphFilter:
    """Writes characters that no font has as code points, such as [U+1F680], and collects them."""

    def __init__(self) -> None:
        self.missing: list[str] = []

    def __call__(self, text: str) -> str:
        available = _available_glyphs()
        text = "".join(each for each in text if ord(each) not in VARIATION_SELECTORS)
        missing = [each for each in dict.fromkeys(text) if ord(each) not in available]
        self.missing += [each for each in missing if each not in self.missing]
        if not missing:
            return text
        written = text.translate({ord(each): f"[U+{ord(each):04X}]" for each in missing}).replace("][", " ")
        if len(written) <= MAX_SUBSTITUTED:
            return written
        return f"{written[: MAX_SUBSTITUTED - KEPT_END - 1]}…{written[-KEPT_END:]}"


@cache
def _available_glyphs() -> frozenset[int]:
    """Return the characters that at least one font has."""
    files = [findfont(FontProperties(family=[family])) for family in FONT_FAMILIES]
    return frozenset(code for file in files for code in FT2Font(file).get_charmap()) | {ord("\n")}
