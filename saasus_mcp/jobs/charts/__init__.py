"""Charts of what jobs found: a picture where the extra `charts` is installed, a table of fixed width everywhere."""

from __future__ import annotations

from functools import partial

from anyio.to_thread import run_sync

from saasus_mcp.jobs.charts.model import Chart
from saasus_mcp.jobs.charts.text import written
from saasus_mcp.saasus.answer import Figure

MISSING = (
    "No picture: it needs the extra `charts` (uvx --from 'saasus-mcp[charts]' saasus-mcp). A table stands in its place."
)


async def shown(chart: Chart, form: str) -> tuple[Figure | None, tuple[str, ...]]:
    """The chart as it was asked for (`none`, `text` or `png`), and what must be said of it."""
    if form == "none":
        return None, ()
    if form == "png":
        try:
            from saasus_mcp.jobs.charts.picture import drawn  # noqa: PLC0415 - an extra, and slow to import
        except ImportError:
            return Figure(text=written(chart)), (MISSING,)
        png, strange = await run_sync(partial(drawn, chart))
        note = f"The chart's font lacks {' '.join(strange)}: a white square stands for each." if strange else ""
        return Figure(png=png), (note,) if note else ()
    return Figure(text=written(chart)), ()
