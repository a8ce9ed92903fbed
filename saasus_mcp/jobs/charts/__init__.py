"""Charts of what jobs found: a picture where the extra `charts` is installed, a table of fixed width everywhere."""

from __future__ import annotations

from anyio.to_thread import run_sync

from saasus_mcp.jobs.charts.model import Chart
from saasus_mcp.jobs.charts.text import written
from saasus_mcp.saasus.answer import Figure

MISSING = (
    "No picture: it needs the extra `charts` (uvx --from 'saasus-mcp[charts]' saasus-mcp). A table stands in its place."
)
STRANGE = "The chart's font lacks {letters}: a white square stands for each."


async def shown(chart: Chart, form: str) -> tuple[Figure | None, tuple[str, ...]]:
    """The chart as it was asked for (`none`, `text` or `png`), and what must be said of it."""
    if form == "none":
        return None, ()
    if form == "text":
        return Figure(text=written(chart)), ()
    try:
        png, strange = await run_sync(_drawn, chart)
    except ImportError:
        return Figure(text=written(chart)), (MISSING,)
    return Figure(png=png), (STRANGE.format(letters=" ".join(strange)),) if strange else ()


def _drawn(chart: Chart) -> tuple[str, list[str]]:
    """In a thread: the import takes half a second, and longer where fonts are looked for the first time."""
    from saasus_mcp.jobs.charts.picture import drawn  # noqa: PLC0415 - an extra, and slow to import

    return drawn(chart)
