"""The progress of a job: a bar on a terminal, and lines elsewhere, for the logs of scheduled jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from saasus_mcp.cli.terminal import is_terminal, render, say
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.text import visible_text
from saasus_mcp.server.pipeline.call import Progress

SECONDS_BETWEEN_LINES = 10.0
UNITS = {
    "job_import_users": "people",
    "job_contract_report": "tenants",
    "job_metering_report": "reads",
    "job_user_activity": "users",
    "job_export_settings": "kinds",
    "job_compare_settings": "kinds",
    "job_apply_settings": "settings",
    "job_offboard_user": "steps",
    "job_offboard_tenant": "steps",
}
"""What a job counts, if not rows."""


@contextmanager
def show_progress(job: str) -> Iterator[Progress]:
    """Show the progress of a job on standard error: how many of how many, of what, and how fast."""
    unit = render(one_of("cli_job.unit", UNITS.get(job, "rows")))
    display = _ProgressBar(unit) if is_terminal(sys.stderr) else _ProgressLines(unit)
    try:
        yield display.update
    finally:
        display.close()


def _show_reason(text: str) -> None:
    """Print why the job waits. The name of the job says that it goes on."""
    if not text.startswith("job_"):
        say(f"\n{visible_text(text)}", err=True)


class _ProgressBar:
    """A bar where the total is known, and a counter where it is not."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._bar: Any = None
        self._counted = False
        self._started = time.monotonic()

    async def update(self, done: int | None, total: int | None, message: str) -> None:
        if done is None:
            _show_reason(message)
        elif total:
            if self._bar is None:
                self._bar = click.progressbar(
                    length=total, file=sys.stderr, show_pos=True, show_eta=True, item_show_func=self._rate
                )
            self._bar.length = total
            self._bar.update(done - self._bar.pos, current_item=done)
            self._bar.render_progress()
        elif done:
            self._counted = True
            click.echo(f"\r{done} {self._rate(done)}", err=True, nl=False)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()
        if self._bar is not None or self._counted:
            click.echo(err=True)

    def _rate(self, done: int | None) -> str:
        seconds = time.monotonic() - self._started
        return render(message("cli_job.rate", unit=self._unit, rate=(done or 0) / max(seconds, 0.001)))


class _ProgressLines:
    """A line every ten seconds, and one at the end."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._latest: tuple[int, int | None] = (0, None)
        self._shown: tuple[int, int | None] = self._latest
        self._next = time.monotonic() + SECONDS_BETWEEN_LINES

    async def update(self, done: int | None, total: int | None, message: str) -> None:
        if done is None:
            _show_reason(message)
            return
        self._latest = (done, total)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_LINES
            self._show()

    def close(self) -> None:
        self._show()

    def _show(self) -> None:
        done, total = self._latest
        if self._latest == self._shown or not any(self._latest):  # the job counts nothing
            return
        self._shown = self._latest
        known = message("cli_job.done_of", done=done, total=total, unit=self._unit) if total else None
        say(known or message("cli_job.done", done=done, unit=self._unit), err=True)
