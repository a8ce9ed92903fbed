"""A limit on repeated lines of the log of a hosted server."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

FLOOD_LINES, FLOOD_SECONDS = 5, 60.0
MAX_KINDS = 1_000
"""Kinds of lines that are counted. Beyond it, the one that was not seen for the longest time is forgotten."""


class FloodFilter(logging.Filter):
    """Holds repeated lines down: of one kind, a few a minute are written, and the next one tells how many were not.

    A kind is the text before its values are filled in. An outage writes the same line for each request otherwise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written."""
        kind, now = (record.name, record.levelno, str(record.msg)), self._clock()
        begun, count = self._kinds.pop(kind, (now, 0))
        if now - begun >= FLOOD_SECONDS:
            begun, left_out, count = now, count - FLOOD_LINES, 0
            if left_out > 0:
                record.msg, record.args = f"{record.getMessage()} ({left_out} similar lines were left out)", ()
        self._kinds[kind] = begun, count + 1
        if len(self._kinds) > MAX_KINDS:
            del self._kinds[next(iter(self._kinds))]
        return count < FLOOD_LINES
