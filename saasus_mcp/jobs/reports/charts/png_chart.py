"""A chart as a PNG, by matplotlib: dark on a light card, so that it reads on a light page and on a dark one."""

from __future__ import annotations

import io
from base64 import b64encode
from functools import cache
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

FONT_FAMILIES = ("IPAexGothic", "DejaVu Sans")
"""Japanese and Latin letters from the first, what it lacks from the second, which comes with matplotlib."""
BACKGROUND, TEXT_COLOUR, GRID_COLOUR = "#fbfbf8", "#22252a", "#c9ccd1"
SERIES_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9", "#6b5b95", "#7f7f7f")
"""Told apart by people who do not tell red from green, too (after Okabe and Ito)."""
OVER_LIMIT_COLOUR = SERIES_COLOURS[1]
MARKERS = "osD^vPX*"
WIDTH_INCHES, DPI = 9.0, 110
MIN_BAR_SLOTS = 2
"""Bars for which a panel has room: a single one would be a block."""
AXIS_CHARACTERS = 84
"""Letters that fit below a panel's times."""
REPLACEMENT = "\N{WHITE SQUARE}"

_one_at_a_time = Lock()
fontManager.addfont(get_font_ttf_path())
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
    """The picture in base64, and the letters that no font has."""
    with _one_at_a_time:  # matplotlib is not made for threads
        letters = _Letters()
        heights = [_height(panel) for panel in chart.panels] or [1.0]
        size = (WIDTH_INCHES, sum(heights) + 0.9)
        figure = Figure(figsize=size, dpi=DPI, facecolor=BACKGROUND, edgecolor=GRID_COLOUR, linewidth=2)
        figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
        figure.suptitle(letters(chart.title), fontsize=14, x=0.015, ha="left")
        grid = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)
        for axes, panel in zip(grid[:, 0], chart.panels, strict=False):
            axes.set_facecolor(BACKGROUND)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_title(letters(truncate_text(panel.title, 78)), loc="left", fontsize=11)
            if isinstance(panel, BarPanel):
                _bars(axes, panel, letters)
            else:
                _lines(axes, panel, letters)
        if chart.footer:
            figure.supxlabel(letters(chart.footer), fontsize=8.5, x=0.015, ha="left")
        written = io.BytesIO()
        FigureCanvasAgg(figure)
        figure.savefig(written, format="png", edgecolor=GRID_COLOUR)
        return b64encode(written.getvalue()).decode(), letters.strange


def _height(panel: BarPanel | LinePanel) -> float:
    return 0.7 + 0.34 * max(len(panel.bars), MIN_BAR_SLOTS) if isinstance(panel, BarPanel) else 2.7


def _bars(axes: Axes, panel: BarPanel, letters: _Letters) -> None:
    rows = range(len(panel.bars))
    most = max((bar.value for bar in panel.bars), default=0) or 1
    colours = [OVER_LIMIT_COLOUR if bar.limit and bar.value > bar.limit else SERIES_COLOURS[0] for bar in panel.bars]
    axes.barh(rows, [bar.value for bar in panel.bars], height=0.62, color=colours)
    axes.set_yticks(rows, [letters(truncate_text(bar.name)) for bar in panel.bars])
    axes.set_ylim(max(len(panel.bars), MIN_BAR_SLOTS) - 0.5, -0.5)
    for row, bar in enumerate(panel.bars):
        axes.annotate(bar.label, (bar.value, row), xytext=(5, 0), textcoords="offset points", va="center")
        if bar.limit and bar.limit <= bar.value:
            axes.plot([bar.limit, bar.limit], [row - 0.42, row + 0.42], color=TEXT_COLOUR, linewidth=2)
    axes.set_xlim(0, most * 1.35)
    _numbered(axes.xaxis)


def _lines(axes: Axes, panel: LinePanel, letters: _Letters) -> None:
    for number, line in enumerate(panel.lines):
        axes.plot(
            range(len(panel.times)),
            line.values,
            label=letters(truncate_text(line.name)),
            color=SERIES_COLOURS[number % len(SERIES_COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            linewidth=1.8,
        )
    fitting = AXIS_CHARACTERS // (max(map(len, panel.times)) + 2)
    shown = range(0, len(panel.times), -(-len(panel.times) // fitting))
    axes.set_xticks(shown, [panel.times[each] for each in shown], fontsize=9)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=GRID_COLOUR, linewidth=0.6)
    _numbered(axes.yaxis)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)


def _numbered(axis: Any) -> None:
    axis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


class _Letters:
    """Puts a square in the place of what no font has, and remembers it."""

    def __init__(self) -> None:
        self.strange: list[str] = []

    def __call__(self, text: str) -> str:
        known = _known()
        missing = [each for each in dict.fromkeys(text) if ord(each) not in known]
        self.strange += [each for each in missing if each not in self.strange]
        return text.translate({ord(each): REPLACEMENT for each in missing})


@cache
def _known() -> frozenset[int]:
    """The letters that the fonts have between them."""
    files = [findfont(FontProperties(family=[family])) for family in FONT_FAMILIES]
    return frozenset(code for file in files for code in FT2Font(file).get_charmap()) | {ord("\n")}
