"""A limit on repeated lines of the log of a hosted server."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable

FLOOD_LINES, FLOOD_SECONDS = 5, 60.0
MAX_KINDS = 1_000
"""Kinds of lines that are counted. Beyond it, the one that was not seen for the longest time is forgotten."""


class FloodFilter(logging.Filter):
    """Holds repeated lines down: of one kind, a few a minute are written, and the next one tells how many were not.

    A kind is the text before its values are filled in, and the type and the place of an exception, so that one error does not hide
    another. An outage writes the same line for each request otherwise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, int, str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = (record.name, record.levelno, str(record.msg), _origin(record)), self._clock()
        begun, count = self._kinds.pop(kind, (now, 0))
        if now - begun >= FLOOD_SECONDS:
            begun, left_out, count = now, count - FLOOD_LINES, 0
            if left_out > 0:
                record.msg = f"{record.msg} ({left_out} similar lines were left out)"
        self._kinds[kind] = begun, count + 1
        if len(self._kinds) > MAX_KINDS:
            del self._kinds[next(iter(self._kinds))]
        return count < FLOOD_LINES


def _origin(record: logging.LogRecord) -> str:
    """Return the type of the exception of a record and the line that raised it, or an empty text."""
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    error = record.exc_info[1]
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    return f"{type(error).__qualname__} {frames[0].filename}:{frames[0].lineno}" if frames else type(error).__qualname__
