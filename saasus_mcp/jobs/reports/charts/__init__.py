"""Charts: a PNG if the extra `charts` is installed, or a table of fixed width."""

from __future__ import annotations

from anyio.to_thread import run_sync

from saasus_mcp.common.messages import Message, message
from saasus_mcp.jobs.reports.charts.chart_model import Chart
from saasus_mcp.jobs.reports.charts.text_chart import render_text
from saasus_mcp.saasus.tool_answer import AnswerImage


async def render_chart(chart: Chart, form: str) -> tuple[AnswerImage | None, tuple[Message, ...]]:
    """Return the chart in a form (`none`, `text` or `png`), and notes about it."""
    if form == "none":
        return None, ()
    if form == "text":
        return AnswerImage(text=render_text(chart)), ()
    try:
        png, missing = await run_sync(_render_png, chart)
    except ImportError:
        return AnswerImage(text=render_text(chart)), (message("jobs_reports.no_picture"),)
    notes = (message("jobs_reports.missing_glyphs", letters=" ".join(missing)),) if missing else ()
    return AnswerImage(png=png), notes


def _render_png(chart: Chart) -> tuple[str, list[str]]:
    """Run in a thread: the import takes half a second, and longer when fonts are indexed for the first time."""
    from saasus_mcp.jobs.reports.charts.png_chart import render_png  # noqa: PLC0415 - an extra, and slow to import

    return render_png(chart)
