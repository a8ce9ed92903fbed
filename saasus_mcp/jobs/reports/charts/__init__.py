"""Charts: a PNG if the extra `charts` is installed, or a table of fixed width."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from anyio.to_thread import run_sync

from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message
from saasus_mcp.jobs.reports.charts.chart_model import Chart
from saasus_mcp.jobs.reports.charts.text_chart import render_text
from saasus_mcp.saasus.tool_answer import AnswerImage

MAX_DATA_BYTES = 64 * 1024
"""Bytes of a chart as data. A larger one is not offered: the table has its figures."""


def chart_data(build: Callable[[Language], Chart]) -> dict[str, Any] | None:
    """Return a chart as data. A text that differs between the languages is an object with both. None if it is too large."""
    data = _both(asdict(build("en")), asdict(build("ja")))
    return data if len(compact_json(data).encode()) <= MAX_DATA_BYTES else None


def _both(en: Any, ja: Any) -> Any:
    if isinstance(en, dict):
        return {name: _both(value, ja[name]) for name, value in en.items()}
    if isinstance(en, list | tuple):
        return [_both(*pair) for pair in zip(en, ja, strict=True)]
    return en if en == ja else {"en": en, "ja": ja}


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
