"""Charts of what jobs found: a picture where the extra `charts` is installed, a table of fixed width everywhere."""

from __future__ import annotations

from anyio.to_thread import run_sync

from saasus_mcp.jobs.reports.charts.chart_model import Chart
from saasus_mcp.jobs.reports.charts.text_chart import render_text
from saasus_mcp.saasus.tool_answer import AnswerImage

MISSING = (
    "No picture: it needs the extra `charts` (uvx --from 'saasus-mcp[charts]' saasus-mcp). A table stands in its place."
)
STRANGE = "The chart's font lacks {letters}: a white square stands for each."


async def render_chart(chart: Chart, form: str) -> tuple[AnswerImage | None, tuple[str, ...]]:
    """The chart as it was asked for (`none`, `text` or `png`), and what must be said of it."""
    if form == "none":
        return None, ()
    if form == "text":
        return AnswerImage(text=render_text(chart)), ()
    try:
        png, strange = await run_sync(_drawn, chart)
    except ImportError:
        return AnswerImage(text=render_text(chart)), (MISSING,)
    return AnswerImage(png=png), (STRANGE.format(letters=" ".join(strange)),) if strange else ()


def _drawn(chart: Chart) -> tuple[str, list[str]]:
    """In a thread: the import takes half a second, and longer where fonts are looked for the first time."""
    from saasus_mcp.jobs.reports.charts.png_chart import render_png  # noqa: PLC0415 - matplotlib is an extra, and slow to import

    return render_png(chart)
